//! What of a component is known to take the compiler beyond all bounds, found by a look at its bytes.
//!
//! No deadline covers the compiler, and a thread of it cannot be stopped. Most of what it does takes time in proportion to
//! the file, whose size is bounded; this is the rest.

use std::collections::VecDeque;

use wasmparser::{BinaryReaderError, CompositeInnerType, FunctionBody, Operator, Parser, Payload, TypeSectionReader};

use super::unusable::Unusable;
use crate::hooks::limits::{COMPONENT_DEPTH_MAX, LOOPS_COST_MAX, LOOPS_COST_TOTAL_MAX};

/// Refuses what takes too long. What is no WebAssembly is left to others to find.
pub(super) fn check_cost(bytes: &[u8]) -> Result<(), Unusable> {
    let (mut depth, mut total) = (0_usize, 0_u64);
    // Of the module that is read: parameters of each type, and the types of functions whose bodies come.
    let (mut parameters, mut functions) = (Vec::new(), VecDeque::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => {
                (parameters, functions) = (Vec::new(), VecDeque::new());
                depth += 1;
                if depth > COMPONENT_DEPTH_MAX {
                    let why = format!("components within components more than {COMPONENT_DEPTH_MAX} deep");
                    return Err(Unusable::TooComplex(why));
                }
            }
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::TypeSection(types)) => parameters = parameters_of(types).unwrap_or_default(),
            Ok(Payload::FunctionSection(types)) => functions = types.into_iter().map_while(Result::ok).collect(),
            Ok(Payload::CodeSectionEntry(body)) => {
                let function = functions.pop_front().and_then(|ty| parameters.get(ty as usize));
                let Ok(loops) = Loops::of(&body, function.copied().unwrap_or_default()) else { continue };
                let cost = loops.around.saturating_mul(loops.variables);
                total = total.saturating_add(cost);
                if cost > LOOPS_COST_MAX {
                    let Loops { deepest, variables, .. } = loops;
                    let why = format!(
                        "a function with {variables} variables and loops that lie {deepest} deep in each other"
                    );
                    return Err(Unusable::TooComplex(why));
                }
                if total > LOOPS_COST_TOTAL_MAX {
                    let why = "many functions with many variables and many loops within each other";
                    return Err(Unusable::TooComplex(why.to_owned()));
                }
            }
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// How many parameters the functions of each type have.
fn parameters_of(types: TypeSectionReader<'_>) -> Result<Vec<u64>, BinaryReaderError> {
    let mut parameters = Vec::new();
    for group in types {
        parameters.extend(group?.types().map(|ty| match &ty.composite_type.inner {
            CompositeInnerType::Func(function) => function.params().len() as u64,
            _ => 0,
        }));
    }
    Ok(parameters)
}

/// The loops of a function. At the start of each, the compiler looks at every variable for those of all loops around it.
struct Loops {
    deepest: u64,
    /// How many loops lie around each, itself included, all added up.
    around: u64,
    /// Parameters and local variables.
    variables: u64,
}

impl Loops {
    fn of(body: &FunctionBody<'_>, parameters: u64) -> Result<Self, BinaryReaderError> {
        let mut variables = parameters;
        for declared in body.get_locals_reader()? {
            variables += u64::from(declared?.0);
        }
        // Of each block that is open, whether it is a loop.
        let (mut open, mut loops, mut deepest, mut around) = (Vec::new(), 0_u64, 0, 0);
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Loop { .. } => {
                    open.push(true);
                    loops += 1;
                    deepest = deepest.max(loops);
                    around += loops;
                }
                Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => open.push(false),
                Operator::End if open.pop() == Some(true) => loops -= 1,
                _ => {}
            }
        }
        Ok(Self { deepest, around, variables })
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{BlockType, NestedComponentSection, TypeSection, ValType};
    use wasm_encoder::{CodeSection, Component, Function, FunctionSection, Instruction, Module, ModuleSection};

    use super::*;

    /// A component with so many functions.
    fn with_loops(count: usize, deep: usize, side_by_side: usize, parameters: usize, locals: u32) -> Vec<u8> {
        let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        types.ty().function(vec![ValType::I32; parameters], []);
        let mut function = Function::new([(locals, ValType::I32)]);
        for _ in 0..side_by_side {
            for instruction in [Instruction::Loop(BlockType::Empty), Instruction::End] {
                for _ in 0..deep {
                    function.instruction(&instruction);
                }
            }
        }
        function.instruction(&Instruction::End);
        for _ in 0..count {
            functions.function(0);
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        component.finish()
    }

    fn nested(deep: usize) -> Vec<u8> {
        let mut component = Component::new();
        for _ in 0..deep {
            let mut outer = Component::new();
            outer.section(&NestedComponentSection(&component));
            component = outer;
        }
        component.finish()
    }

    fn check(bytes: &[u8], expected: Option<&str>) {
        let found = check_cost(bytes).err().map(|error| error.to_string());
        assert!(found.is_some() == expected.is_some(), "{found:?} in place of {expected:?}");
        assert!(found.iter().zip(expected).all(|(found, expected)| found.contains(expected)), "{found:?}");
    }

    #[test]
    fn what_takes_the_compiler_too_long_is_refused() {
        check(&with_loops(10, 20, 10, 10, 1_000), None);
        check(&with_loops(100, 20, 10, 10, 1_000), Some("many functions"));
        let deep = "a function with 1000 variables and loops that lie 100 deep in each other";
        check(&with_loops(1, 100, 1, 0, 1_000), Some(deep));
        check(&with_loops(1, 100, 1, 1_000, 0), Some(deep));
        check(&with_loops(1, 10, 1_000, 0, 1_000), Some("10 deep"));
        check(&nested(COMPONENT_DEPTH_MAX), None);
        check(&nested(COMPONENT_DEPTH_MAX + 1), Some("more than 16 deep"));
        check(b"\0asm\x0d\0\x01\0garbage", None);
        check(b"", None);
    }
}
