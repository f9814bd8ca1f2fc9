//! libvirt's typed parameters: out of C memory without trusting them, and into C memory without a leak.

use std::ffi::{CStr, c_int, c_uint};
use std::ptr;

use virt_sys as sys;

use super::{c_string, checked, text};
use crate::error::Failure;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Param {
    /// A signed number of 32 bits, on its way to libvirt: one that comes from there is [`Param::Signed`].
    Int(i32),
    /// A signed number, of 32 or 64 bits; of 64 on its way to libvirt, as the next one.
    Signed(i64),
    /// An unsigned number, of 32 or 64 bits.
    Unsigned(u64),
    /// Text.
    Text(String),
    /// A kind that nothing here asks for: floating point, boolean, or one that a newer libvirt added.
    Other,
}

/// Parameters that libvirt gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Params(Vec<(String, Param)>);

impl Params {
    /// Copies parameters out of C memory.
    ///
    /// # Safety
    /// `params` is NULL or points to `count` initialised parameters, which stay as they are during the call.
    pub(super) unsafe fn copy(params: sys::virTypedParameterPtr, count: c_int) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        if params.is_null() || count == 0 {
            return Self::default();
        }
        // SAFETY: promised by the caller.
        let params = unsafe { std::slice::from_raw_parts(params, count) };
        let copy = |param: &sys::virTypedParameter| {
            // SAFETY: libvirt ends every name with a NUL inside of the array.
            let name = unsafe { CStr::from_ptr(param.field.as_ptr()) }.to_string_lossy().into_owned();
            let kind = u32::try_from(param.type_).unwrap_or(0);
            // SAFETY: `type_` says which member of the union is the one that was written; only that one is read.
            let value = unsafe {
                match kind {
                    sys::VIR_TYPED_PARAM_INT => Param::Signed(i64::from(param.value.i)),
                    sys::VIR_TYPED_PARAM_UINT => Param::Unsigned(u64::from(param.value.ui)),
                    sys::VIR_TYPED_PARAM_LLONG => Param::Signed(param.value.l),
                    sys::VIR_TYPED_PARAM_ULLONG => Param::Unsigned(param.value.ul),
                    sys::VIR_TYPED_PARAM_STRING => text(param.value.s).map_or(Param::Other, Param::Text),
                    _ => Param::Other,
                }
            };
            (name, value)
        };
        Self(params.iter().map(copy).collect())
    }

    /// A whole number that isn't negative.
    pub(crate) fn number(&self, name: &CStr) -> Option<u64> {
        match self.get(name)? {
            Param::Unsigned(value) => Some(*value),
            Param::Signed(value) => u64::try_from(*value).ok(),
            Param::Int(value) => u64::try_from(*value).ok(),
            Param::Text(_) | Param::Other => None,
        }
    }

    /// Text.
    pub(crate) fn text(&self, name: &CStr) -> Option<&str> {
        match self.get(name)? {
            Param::Text(text) => Some(text),
            Param::Int(_) | Param::Signed(_) | Param::Unsigned(_) | Param::Other => None,
        }
    }

    fn get(&self, name: &CStr) -> Option<&Param> {
        let name = name.to_str().ok()?;
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
impl Params {
    /// Parameters for a test of what is made of them.
    pub(crate) fn of(values: &[(&CStr, u64)]) -> Self {
        Self(values.iter().map(|(k, v)| (k.to_string_lossy().into_owned(), Param::Unsigned(*v))).collect())
    }
}

/// Parameters for libvirt, in memory that libvirt allocated and frees.
pub(super) struct ParamList {
    params: sys::virTypedParameterPtr,
    count: c_int,
    room: c_int,
}

impl ParamList {
    /// Builds the list.
    pub(super) fn new(values: &[(&CStr, Param)]) -> Result<Self, Failure> {
        let mut list = Self { params: ptr::null_mut(), count: 0, room: 0 };
        for (name, value) in values {
            list.add(name, value)?;
        }
        Ok(list)
    }

    fn add(&mut self, name: &CStr, value: &Param) -> Result<(), Failure> {
        let (params, count, room) = (&raw mut self.params, &raw mut self.count, &raw mut self.room);
        let name = name.as_ptr();
        let result = match value {
            // SAFETY: the three places belong to this list and are consistent; the name is a C string; libvirt copies it.
            Param::Int(value) => unsafe { sys::virTypedParamsAddInt(params, count, room, name, *value) },
            // SAFETY: as above.
            Param::Signed(value) => unsafe { sys::virTypedParamsAddLLong(params, count, room, name, *value) },
            // SAFETY: as above.
            Param::Unsigned(value) => unsafe { sys::virTypedParamsAddULLong(params, count, room, name, *value) },
            Param::Text(value) => {
                let value = c_string(value)?;
                // SAFETY: as above; libvirt copies the value as well.
                unsafe { sys::virTypedParamsAddString(params, count, room, name, value.as_ptr()) }
            }
            Param::Other => return Ok(()),
        };
        checked(result).map(drop)
    }

    pub(super) fn as_ptr(&self) -> sys::virTypedParameterPtr {
        self.params
    }

    pub(super) fn len(&self) -> c_uint {
        c_uint::try_from(self.count).unwrap_or(0)
    }
}

impl Drop for ParamList {
    fn drop(&mut self) {
        // SAFETY: NULL with 0, or what virTypedParamsAdd* made; freed once, with its own length.
        unsafe { sys::virTypedParamsFree(self.params, self.count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_c_comes_out_of_it() {
        super::super::initialize().unwrap();
        let list = ParamList::new(&[
            (c"a", Param::Unsigned(u64::MAX)),
            (c"b", Param::Signed(-1)),
            (c"c", Param::Text("text".into())),
            (c"e", Param::Int(255)),
        ])
        .unwrap();
        assert_eq!(list.len(), 4);
        // SAFETY: the list is alive and says its own length.
        let params = unsafe { Params::copy(list.as_ptr(), list.count) };
        assert_eq!(params.number(c"a"), Some(u64::MAX));
        assert_eq!(params.number(c"b"), None, "negative");
        assert_eq!(params.get(c"c"), Some(&Param::Text("text".into())));
        assert_eq!((params.text(c"c"), params.text(c"a"), params.text(c"d")), (Some("text"), None, None));
        assert_eq!(params.number(c"d"), None);
        assert_eq!(params.number(c"e"), Some(255));
        // SAFETY: as above.
        let kinds: Vec<_> = unsafe { std::slice::from_raw_parts(list.as_ptr(), 4) }.iter().map(|p| p.type_).collect();
        let expected = [
            sys::VIR_TYPED_PARAM_ULLONG,
            sys::VIR_TYPED_PARAM_LLONG,
            sys::VIR_TYPED_PARAM_STRING,
            sys::VIR_TYPED_PARAM_INT,
        ];
        assert_eq!(kinds, expected.map(|kind| kind as c_int), "libvirt looks at the type of each parameter");
    }

    #[test]
    fn a_nul_byte_is_refused() {
        super::super::initialize().unwrap();
        assert!(ParamList::new(&[(c"a", Param::Text("x\0y".into()))]).is_err());
    }
}
