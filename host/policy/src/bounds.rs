//! What a file may ask of the compiler. Its bytes are bounded already; these are the few places where few bytes can mean much
//! work: a component that instantiates components (which the compiler writes out, so that each level may double what is below
//! it), one function (whose registers are found in more than linear time), locals (a count and not a list), branches of a
//! function with many locals (the compiler writes down for each of them what each local is), and what an
//! instance begins with. Counted before anything is validated or compiled, in one pass.

use wasmparser::{CompositeInnerType, FunctionBody, Operator, Parser, Payload};

use crate::artifact::LoadError;
use crate::engine::{SLOT_MEMORY_BYTES, TABLE_ELEMENTS};

/// Instances that are made of components, in the whole file. A policy has about one for each interface that it exports;
/// sixteen can be nested into a few hundred at most.
const INSTANTIATIONS: u64 = 16;
/// Bytes of one function. The largest of an interpreter that was compiled to WebAssembly are below 200 KiB.
const FUNCTION_BYTES: u64 = 512 << 10;
/// Locals of one function. Unoptimised code has a few thousand in its largest.
const LOCALS_OF_ONE: u64 = 20_000;
/// Locals of all functions together.
const LOCALS: u64 = 2_000_000;
/// Functions in the whole file.
const FUNCTIONS: u64 = 100_000;
/// Values that one function hands on at its branches: locals, and the most that any type has, times branches. The largest of
/// an interpreter have some million.
const HANDED_ON_BY_ONE: u64 = 16 << 20;
/// The same of all functions together.
const HANDED_ON: u64 = 256 << 20;

/// Refuses what would cost too much. What can't be read is for the compiler to say.
pub(crate) fn check(binary: &[u8]) -> Result<(), LoadError> {
    let mut seen = Seen::default();
    for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
        if let Some(what) = seen.take(payload) {
            return Err(LoadError::Resources { what });
        }
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    instantiations: u64,
    functions: u64,
    locals: u64,
    /// The most parameters and results of a type.
    arity: u64,
    handed_on: u64,
}

impl Seen {
    /// Counts a part; answers what is too much.
    fn take(&mut self, payload: Payload<'_>) -> Option<String> {
        let over = |count: u64, most: u64, what: &str| {
            (count > most).then(|| format!("{count} {what}, at most {most} are taken"))
        };
        match payload {
            Payload::ComponentInstanceSection(section) => {
                self.instantiations += u64::from(section.count());
                over(self.instantiations, INSTANTIATIONS, "instances of components")
            }
            Payload::CodeSectionEntry(body) => {
                self.functions += 1;
                let range = body.range();
                let locals = body.get_locals_reader().into_iter().flatten().map_while(Result::ok);
                let locals = locals.fold(0_u64, |sum, (count, _)| sum.saturating_add(count.into()));
                self.locals = self.locals.saturating_add(locals);
                let of_size = over(range.end - range.start, FUNCTION_BYTES, "bytes in one function")
                    .or_else(|| over(locals, LOCALS_OF_ONE, "locals in one function"))
                    .or_else(|| over(self.locals, LOCALS, "locals"))
                    .or_else(|| over(self.functions, FUNCTIONS, "functions"));
                of_size.or_else(|| {
                    let handed_on = branches(&body).saturating_mul(locals + self.arity);
                    self.handed_on = self.handed_on.saturating_add(handed_on);
                    over(handed_on, HANDED_ON_BY_ONE, "values at the branches of one function")
                        .or_else(|| over(self.handed_on, HANDED_ON, "values at the branches of all functions"))
                })
            }
            Payload::TypeSection(section) => {
                let types = section.into_iter().map_while(Result::ok).flat_map(|group| group.into_types());
                let arity = types.filter_map(|ty| match ty.composite_type.inner {
                    CompositeInnerType::Func(func) => Some(func.params().len() + func.results().len()),
                    _ => None,
                });
                self.arity = self.arity.max(arity.max().unwrap_or(0) as u64);
                None
            }
            Payload::MemorySection(section) => section.into_iter().map_while(Result::ok).find_map(|memory| {
                let page = memory.page_size_log2.unwrap_or(16).min(16);
                let bytes = memory.initial.saturating_mul(1 << page);
                (bytes > SLOT_MEMORY_BYTES as u64)
                    .then(|| format!("{bytes} bytes of memory, {SLOT_MEMORY_BYTES} are given"))
            }),
            Payload::TableSection(section) => section
                .into_iter()
                .map_while(Result::ok)
                .find_map(|table| over(table.ty.initial, TABLE_ELEMENTS as u64, "places in a table")),
            _ => None,
        }
    }
}

/// How often the control of a function goes somewhere else, or comes together again.
fn branches(body: &FunctionBody<'_>) -> u64 {
    let operators = body.get_operators_reader().into_iter().flatten().map_while(Result::ok);
    operators.fold(0, |sum, operator| match operator {
        Operator::BrTable { targets } => sum + u64::from(targets.len()) + 1,
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. } => sum + 1,
        _ => sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<String> {
        match check(&wat::parse_str(text).unwrap()) {
            Ok(()) => None,
            Err(LoadError::Resources { what }) => Some(what),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn few_bytes_that_mean_much_work_are_refused_before_they_are_compiled() {
        // Each component is two of the one before it: 2^40 instances in a file of a kilobyte.
        let mut bomb = "(component (component $c0)".to_owned();
        for level in 1..=40 {
            let below = level - 1;
            bomb.push_str(&format!(
                "(component $c{level} (alias outer 1 $c{below} (component $b)) (instance (instantiate $b)) (instance (instantiate $b)))"
            ));
        }
        bomb.push(')');
        assert!(wat::parse_str(&bomb).unwrap().len() < 4096);
        assert!(refused(&bomb).unwrap().contains("instances of components, at most 16 are taken"));
        for (module, what) in [
            ("(memory 65536)", "4294967296 bytes of memory, 67108864 are given"),
            ("(table 4000000000 funcref)", "4000000000 places in a table, at most 20000 are taken"),
            ("(func (local i64))", ""),
        ] {
            let expected = Some(what.to_owned()).filter(|what| !what.is_empty());
            assert_eq!(refused(&format!("(module {module})")), expected, "{module}");
            assert_eq!(refused(&format!("(component (core module {module}))")), expected, "{module}");
        }
        let many = "i64 ".repeat(20_001);
        assert_eq!(
            refused(&format!("(module (func (local {many})))")).as_deref(),
            Some("20001 locals in one function, at most 20000 are taken")
        );
        // A function may have as many locals, and as many branches; not both.
        let with = |locals: usize, branches: usize| {
            let (locals, branches) = ("i64 ".repeat(locals), "br 0 ".repeat(branches));
            refused(&format!("(module (func (local {locals}) {branches}))"))
        };
        assert_eq!((with(20_000, 800), with(100, 100_000)), (None, None));
        assert_eq!(
            with(20_000, 900).as_deref(),
            Some("18000000 values at the branches of one function, at most 16777216 are taken")
        );
        let many = format!("(func (local {}) {})", "i64 ".repeat(10_000), "br 0 ".repeat(1600)).repeat(20);
        assert!(refused(&format!("(module {many})")).unwrap().contains("at the branches of all functions"));
        let table = format!("(func (local {}) (br_table {} (i32.const 0)))", "i64 ".repeat(1000), "0 ".repeat(20_000));
        assert!(refused(&format!("(module {table})")).unwrap().contains("values at the branches"));
        let wide = format!("(type (func (param {})))", "i64 ".repeat(1000));
        let narrow = format!("(func {})", "br 0 ".repeat(20_000));
        assert!(refused(&format!("(module {wide} {narrow})")).unwrap().contains("values at the branches"));
        assert_eq!(refused(&format!("(module {narrow})")), None);
        let long = "nop ".repeat(600 << 10);
        assert!(refused(&format!("(module (func {long}))")).unwrap().contains("bytes in one function"));
    }

    #[test]
    fn what_can_not_be_read_is_left_to_the_compiler() {
        assert!(check(b"\0asm").is_ok() && check(b"text").is_ok());
    }
}
