//! Opening and closing, and what a connection is asked about CPUs and memory.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ops::Deref;
use std::{ptr, slice};

use virt::connect::Connect;
use virt_sys as sys;
use waypost_core::load::CpuTime;

use super::{c_string, checked};
use crate::error::Failure;
use crate::login::{Once, Wanted};

/// A connection that is closed when it is dropped, which `virt` 0.4.3's own isn't. Closing talks to the daemon and can
/// block: it is only ever dropped on a thread that may wait.
#[derive(Debug)]
pub(crate) struct Connection(Connect);

impl Connection {
    /// Opens a connection. Credentials come from the file that the URI names, or once from a login; nobody is ever prompted:
    /// what libvirt still asks for fails the open.
    pub(crate) fn open(uri: &str, login: Option<&Once>) -> Result<Self, Failure> {
        let uri = c_string(uri)?;
        // The kinds that SASL mechanisms and ssh libraries ask for; one that isn't listed makes them give up earlier
        // with a less telling message.
        let mut kinds: [c_int; 5] = [
            sys::VIR_CRED_AUTHNAME as c_int,
            sys::VIR_CRED_PASSPHRASE as c_int,
            sys::VIR_CRED_ECHOPROMPT as c_int,
            sys::VIR_CRED_NOECHOPROMPT as c_int,
            sys::VIR_CRED_REALM as c_int,
        ];
        let mut auth = sys::virConnectAuth {
            credtype: kinds.as_mut_ptr(),
            ncredtype: kinds.len() as c_uint,
            cb: Some(answer),
            cbdata: login.map_or(ptr::null_mut(), |login| ptr::from_ref(login).cast_mut().cast()),
        };
        // SAFETY: the URI, the structure and what it points to, the login included, outlive the call, after which libvirt keeps
        // none of them.
        let conn = unsafe { sys::virConnectOpenAuth(uri.as_ptr(), &raw mut auth, 0) };
        if conn.is_null() {
            return Err(Failure::last());
        }
        // SAFETY: a fresh connection with one reference, which goes to the new value.
        Ok(Self(unsafe { Connect::from_ptr(conn) }))
    }

    /// One more reference to the same connection.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    /// Whether this end still holds it open. Tells nothing of a daemon that merely doesn't answer.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_alive().unwrap_or(false)
    }

    /// What the hypervisor of this host makes of a guest's CPU.
    pub(crate) fn compare_cpu(&self, question: &CpuQuestion) -> Result<Comparison, Failure> {
        let text = |text: &Option<String>| text.as_deref().map(c_string).transpose();
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let emulator = text(&question.emulator)?;
        let arch = c_string(&question.architecture)?;
        let machine = text(&question.machine)?;
        let virt_type = c_string(&question.virt_type)?;
        let xml = c_string(&question.xml)?;
        // SAFETY: the connection is borrowed, the texts outlive the call.
        let result = checked(unsafe {
            sys::virConnectCompareHypervisorCPU(
                self.0.as_ptr(),
                pointer(&emulator),
                arch.as_ptr(),
                pointer(&machine),
                virt_type.as_ptr(),
                xml.as_ptr(),
                sys::VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE,
            )
        });
        match result {
            Ok(sys::VIR_CPU_COMPARE_IDENTICAL) => Ok(Comparison::Identical),
            Ok(sys::VIR_CPU_COMPARE_SUPERSET) => Ok(Comparison::Superset),
            Ok(_) => Ok(Comparison::Incompatible("the CPU is incompatible with this host's hypervisor".to_owned())),
            Err(failure) if failure.code == sys::VIR_ERR_CPU_INCOMPATIBLE => {
                Ok(Comparison::Incompatible(failure.message))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The host's memory. None where the driver doesn't tell.
    pub(crate) fn memory(&self) -> Result<Option<HostMemory>, Failure> {
        let all = sys::VIR_NODE_MEMORY_STATS_ALL_CELLS;
        let mut count = 0;
        // SAFETY: the connection is borrowed; without a place for them libvirt only counts the figures.
        let counted =
            checked(unsafe { sys::virNodeGetMemoryStats(self.0.as_ptr(), all, ptr::null_mut(), &raw mut count, 0) });
        match counted {
            Err(failure) if failure.is_unsupported() => return Ok(None),
            counted => drop(counted?),
        }
        let empty = sys::virNodeMemoryStats { field: [0; 80], value: 0 };
        let mut figures = vec![empty; usize::try_from(count).unwrap_or(0)];
        // SAFETY: `figures` has the `count` places that libvirt fills.
        checked(unsafe { sys::virNodeGetMemoryStats(self.0.as_ptr(), all, figures.as_mut_ptr(), &raw mut count, 0) })?;
        let kib = |wanted: &[&CStr]| {
            let named = figures.iter().filter(|figure| {
                // SAFETY: libvirt ends every name with a zero byte, within the array.
                wanted.contains(&unsafe { CStr::from_ptr(figure.field.as_ptr()) })
            });
            named.map(|figure| figure.value).sum()
        };
        Ok(Some(HostMemory { total_kib: kib(&[c"total"]), to_be_had_kib: kib(&[c"free", c"buffers", c"cached"]) }))
    }

    /// What the host's CPUs have done since it was started. None where the driver doesn't tell.
    pub(crate) fn cpu_time(&self) -> Result<Option<CpuTime>, Failure> {
        let all = sys::VIR_NODE_CPU_STATS_ALL_CPUS;
        let mut count = 0;
        // SAFETY: the connection is borrowed; without a place for them libvirt only counts the figures.
        let counted =
            checked(unsafe { sys::virNodeGetCPUStats(self.0.as_ptr(), all, ptr::null_mut(), &raw mut count, 0) });
        match counted {
            Err(failure) if failure.is_unsupported() => return Ok(None),
            counted => drop(counted?),
        }
        let empty = sys::virNodeCPUStats { field: [0; 80], value: 0 };
        let mut figures = vec![empty; usize::try_from(count).unwrap_or(0)];
        // SAFETY: `figures` has the `count` places that libvirt fills.
        checked(unsafe { sys::virNodeGetCPUStats(self.0.as_ptr(), all, figures.as_mut_ptr(), &raw mut count, 0) })?;
        let ns = |wanted: &[&CStr]| -> u64 {
            let named = figures.iter().filter(|figure| {
                // SAFETY: libvirt ends every name with a zero byte, within the array.
                wanted.contains(&unsafe { CStr::from_ptr(figure.field.as_ptr()) })
            });
            named.map(|figure| figure.value).sum()
        };
        let (busy_ns, idle_ns) = (ns(&[c"kernel", c"user", c"intr"]), ns(&[c"idle", c"iowait"]));
        // A driver that only knows a percentage has none of these.
        Ok((busy_ns + idle_ns > 0).then_some(CpuTime { busy_ns, total_ns: busy_ns + idle_ns }))
    }
}

impl Deref for Connection {
    type Target = Connect;
    fn deref(&self) -> &Connect {
        &self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Err(error) = self.0.close() {
            tracing::debug!(%error, "closing a connection failed");
        }
    }
}

/// Memory of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostMemory {
    /// In all.
    pub(crate) total_kib: u64,
    /// What nothing holds, and what the page cache would give back.
    pub(crate) to_be_had_kib: u64,
}

/// A guest's CPU, and what would run it.
#[derive(Debug, Clone)]
pub(crate) struct CpuQuestion {
    pub(crate) emulator: Option<String>,
    pub(crate) architecture: String,
    pub(crate) machine: Option<String>,
    pub(crate) virt_type: String,
    /// The guest's `<cpu>` element.
    pub(crate) xml: String,
}

/// libvirt's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// It can't run there; libvirt's words on why.
    Incompatible(String),
    /// The same.
    Identical,
    /// The hypervisor offers more.
    Superset,
}

/// Answers libvirt's questions for credentials from the login, if there is one: else there is nobody to ask.
unsafe extern "C" fn answer(asked: sys::virConnectCredentialPtr, count: c_uint, login: *mut c_void) -> c_int {
    // SAFETY: NULL, or the login that `open` borrows for as long as libvirt may ask; it is only ever read.
    let Some(login) = (unsafe { login.cast::<Once>().as_ref() }) else { return -1 };
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return 0;
    }
    if asked.is_null() {
        return -1;
    }
    // SAFETY: libvirt lends `count` questions for the time of this call, to nobody else.
    let asked = unsafe { slice::from_raw_parts_mut(asked, count) };
    let wanted: Vec<Wanted> = asked.iter().map(|question| wanted(question.type_)).collect();
    let answered = login.answer(&wanted, |at, text| {
        let (result, length) = (for_libvirt(text), c_uint::try_from(text.len()).unwrap_or(0));
        (asked[at].result, asked[at].resultlen) = (result, length);
        !result.is_null()
    });
    if answered { 0 } else { -1 }
}

/// What a question of libvirt's is about. What is shown while it is typed is no password; whether an unknown host key is fine is
/// asked so, too.
fn wanted(kind: c_int) -> Wanted {
    match u32::try_from(kind) {
        Ok(sys::VIR_CRED_AUTHNAME) => Wanted::User,
        Ok(sys::VIR_CRED_PASSPHRASE | sys::VIR_CRED_NOECHOPROMPT) => Wanted::Password,
        _ => Wanted::Other,
    }
}

/// A copy that libvirt frees; NULL where there is no memory.
fn for_libvirt(text: &str) -> *mut c_char {
    // SAFETY: any size may be asked for.
    let copy = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: there is room for the text and the zero byte behind it, and nobody else knows of it.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            copy.add(text.len()).write(0);
        }
    }
    copy.cast()
}

#[cfg(test)]
mod tests {
    use waypost_core::login::{Login, Secret};

    use super::*;

    fn question(kind: u32) -> sys::virConnectCredential {
        sys::virConnectCredential {
            type_: kind as c_int,
            prompt: ptr::null(),
            challenge: ptr::null(),
            defresult: ptr::null(),
            result: ptr::null_mut(),
            resultlen: 0,
        }
    }

    /// Asks as libvirt does; answers what came of it, and what was given for each question.
    fn ask(login: Option<&Once>, kinds: &[u32]) -> (c_int, Vec<Option<String>>) {
        let mut questions: Vec<_> = kinds.iter().map(|kind| question(*kind)).collect();
        let data = login.map_or(ptr::null_mut(), |login| ptr::from_ref(login).cast_mut().cast());
        // SAFETY: the questions and the login outlive the call.
        let result = unsafe { answer(questions.as_mut_ptr(), questions.len() as c_uint, data) };
        let given = questions.into_iter().map(|question| {
            if question.result.is_null() {
                return None;
            }
            // SAFETY: a text that `for_libvirt` made, with the length that it said; it is freed as libvirt would.
            let bytes = unsafe { slice::from_raw_parts(question.result.cast::<u8>(), question.resultlen as usize + 1) };
            let text = String::from_utf8(bytes[..bytes.len() - 1].to_vec()).unwrap();
            assert_eq!(bytes.last(), Some(&0));
            // SAFETY: made by malloc, and used no more.
            unsafe { libc::free(question.result.cast()) };
            Some(text)
        });
        (result, given.collect())
    }

    #[test]
    fn libvirt_is_answered_from_the_login_and_by_nobody_else() {
        let both = [sys::VIR_CRED_AUTHNAME, sys::VIR_CRED_PASSPHRASE];
        assert_eq!(ask(None, &both), (-1, vec![None, None]));
        let secret = |text: &str| Secret::new(text.to_owned());
        let login = || Once::new(Login::new(secret("carla"), secret("h\u{f6}rse")).unwrap());
        let once = login();
        assert_eq!(ask(Some(&once), &[]), (0, vec![]));
        for (kind, what) in [(sys::VIR_CRED_ECHOPROMPT, "a host key"), (sys::VIR_CRED_REALM, "a realm")] {
            assert_eq!(ask(Some(&once), &[kind]), (-1, vec![None]), "{what}");
        }
        assert_eq!(ask(Some(&once), &both), (0, vec![Some("carla".into()), Some("h\u{f6}rse".into())]));
        assert_eq!(ask(Some(&once), &both), (-1, vec![None, None]), "it was wrong, and is not tried again");
        assert_eq!(ask(Some(&login()), &[sys::VIR_CRED_NOECHOPROMPT]), (0, vec![Some("h\u{f6}rse".into())]));
    }
}
