//! The reader of the text form.

use super::{EXIT_NAMES, JUMP_NAMES, RM_NAMES, ROUNDING_NAMES, by_name};
use crate::ir::{Block, Def, Edge, Inst, InstId, Region, Target, Term, Value, ValueData};
use crate::op::{Cond, ImmKind, Op, Type};
use std::collections::BTreeMap;
use std::fmt;

/// Text that is no region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

type Parsed<T> = Result<T, String>;

/// Parses a region; empty lines and what follows a `;` are ignored. The verifier is not run.
///
/// # Errors
/// On text that no region prints as.
pub fn parse(text: &str) -> Result<Region, ParseError> {
    let mut reader = Reader { region: None, values: BTreeMap::new(), defined: Vec::new(), ended: true };
    let mut last = 0;
    for (at, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default().trim();
        if !line.is_empty() {
            last = at + 1;
            reader.line(line).map_err(|message| ParseError { line: last, message })?;
        }
    }
    reader.finish().map_err(|message| ParseError { line: last, message })
}

struct Reader {
    region: Option<Region>,
    /// Values by their number in the text; uses may come before definitions.
    values: BTreeMap<u32, Value>,
    defined: Vec<bool>,
    /// The current block has its terminator.
    ended: bool,
}

/// The pieces of a list, split at commas outside of parentheses.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let rest = text[start..].trim();
    if !rest.is_empty() || !out.is_empty() {
        out.push(rest);
    }
    out
}

fn address(text: &str) -> Parsed<u64> {
    text.strip_prefix("0x")
        .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        .ok_or_else(|| format!("`{text}` is no address"))
}

fn number(text: &str) -> Parsed<i64> {
    match text.strip_prefix("0x") {
        Some(_) => address(text).map(|v| v as i64),
        None => text.parse().map_err(|_| format!("`{text}` is no number")),
    }
}

fn indexed(text: &str, prefix: &str) -> Option<u32> {
    text.strip_prefix(prefix)?.parse().ok()
}

impl Reader {
    fn line(&mut self, line: &str) -> Parsed<()> {
        if let Some(rest) = line.strip_prefix("region ") {
            let (pc, rounding) = rest.split_once(' ').ok_or("a region has an address and a rounding class")?;
            let rounding = by_name(&ROUNDING_NAMES, rounding).ok_or("unknown rounding class")?;
            if self.region.is_some() {
                return Err("a second region".into());
            }
            self.region = Some(Region::new(address(pc)?, rounding));
            return Ok(());
        }
        if line.starts_with("block") {
            return self.block(line);
        }
        if self.ended {
            return Err("an instruction outside of a block".into());
        }
        match line.strip_prefix('+') {
            Some(rest) => self.inst(rest),
            None => self.term(line),
        }
    }

    fn region(&mut self) -> Parsed<&mut Region> {
        self.region.as_mut().ok_or_else(|| "no `region` line".into())
    }

    /// The value that the text calls `name`.
    fn value(&mut self, name: &str) -> Parsed<Value> {
        let n = indexed(name, "v").ok_or_else(|| format!("`{name}` is no value"))?;
        if let Some(&v) = self.values.get(&n) {
            return Ok(v);
        }
        let region = self.region()?;
        let v = Value(region.values.len() as u32);
        region.values.push(ValueData { ty: Type::I64, def: Def::Inst(InstId(u32::MAX)) });
        self.defined.push(false);
        self.values.insert(n, v);
        Ok(v)
    }

    fn define(&mut self, name: &str, ty: Type, def: Def) -> Parsed<Value> {
        let v = self.value(name)?;
        if std::mem::replace(&mut self.defined[v.index()], true) {
            return Err(format!("`{name}` is defined twice"));
        }
        self.region()?.values[v.index()] = ValueData { ty, def };
        Ok(v)
    }

    fn block(&mut self, line: &str) -> Parsed<()> {
        let bad = || String::from("a block begins `blockN(params) @0x... entry inlined [offsets]:`");
        if !self.ended {
            return Err("the block before has no terminator".into());
        }
        let (head, rest) = line.split_once(" @").ok_or_else(bad)?;
        let (name, params) = match head.split_once('(') {
            Some((name, params)) => (name, params.strip_suffix(')').ok_or_else(bad)?),
            None => (head, ""),
        };
        let (place, offsets) = rest.strip_suffix("]:").and_then(|r| r.split_once(" [")).ok_or_else(bad)?;
        let (place, is_inlined) = place.strip_suffix(" inlined").map_or((place, false), |place| (place, true));
        let (place, entry) = place.strip_suffix(" entry").map_or((place, false), |place| (place, true));
        let pc = address(place)?;
        let offsets: Result<Vec<u16>, _> = offsets.split_whitespace().map(str::parse).collect();
        let offsets = offsets.map_err(|_| bad())?;
        let region = self.region()?;
        if indexed(name, "block") != Some(region.blocks.len() as u32) {
            return Err("blocks are numbered in order".into());
        }
        let block = region.push_block(pc);
        let data = &mut region.blocks[block.index()];
        (data.entry, data.is_inlined) = (entry, is_inlined);
        data.retired = offsets.len() as u32;
        data.guest_offsets = offsets;
        for (i, param) in pieces(params).into_iter().enumerate() {
            let (name, ty) = param.split_once(": ").ok_or_else(bad)?;
            let ty = [Type::I64, Type::F32, Type::F64].into_iter().find(|t| t.name() == ty).ok_or_else(bad)?;
            let v = self.define(name, ty, Def::Param(block, i as u16))?;
            self.region()?.blocks[block.index()].params.push(v);
        }
        self.ended = false;
        Ok(())
    }

    fn inst(&mut self, text: &str) -> Parsed<()> {
        let (offset, text) = text.split_once(' ').ok_or("an instruction begins `+offset`")?;
        let offset: u16 = offset.parse().map_err(|_| "an offset is a number")?;
        let (result, text) = match text.split_once(" = ") {
            Some((result, text)) => (Some(result), text),
            None => (None, text),
        };
        let (name, operands) = text.split_once(' ').unwrap_or((text, ""));
        let op = *Op::ALL.iter().find(|op| op.info().name == name).ok_or_else(|| format!("no op `{name}`"))?;
        let info = op.info();
        let mut operands = pieces(operands).into_iter();
        let mut next = || operands.next().ok_or_else(|| format!("`{name}` lacks an operand"));
        let mut imm = 0;
        if info.imm == ImmKind::Reg {
            let class = if matches!(op, Op::GetX | Op::SetX) { "x" } else { "f" };
            imm = indexed(next()?, class).ok_or("no such register")? as i64;
        }
        let mut args = [Value::NONE; 3];
        for slot in &mut args[..info.args.len()] {
            *slot = self.value(next()?)?;
        }
        match info.imm {
            ImmKind::None | ImmKind::Reg => {}
            ImmKind::Rm => imm = by_name(&RM_NAMES, next()?).ok_or("no such rounding mode")?,
            ImmKind::Const | ImmKind::Disp | ImmKind::Order => imm = number(next()?)?,
        }
        if operands.next().is_some() {
            return Err(format!("`{name}` has fewer operands"));
        }
        let region = self.region()?;
        let id = InstId(region.insts.len() as u32);
        let data = region.blocks.last().ok_or("no block")?;
        let index = match data.guest_offsets.iter().position(|o| *o == offset) {
            Some(index) => index,
            None if data.guest_offsets.is_empty() && offset == 0 => 0,
            None => return Err("no guest instruction there".into()),
        };
        let result = match (result, info.result) {
            (Some(name), Some(ty)) => self.define(name, ty, Def::Inst(id))?,
            (None, None) => Value::NONE,
            _ => return Err(format!("`{name}` differs in having a result")),
        };
        let region = self.region()?;
        region.insts.push(Inst { op, guest_index: index as u16, args, result, imm });
        region.blocks.last_mut().ok_or("no block")?.insts.push(id);
        Ok(())
    }

    fn edge(&mut self, text: Option<&str>) -> Parsed<Edge> {
        let text = text.ok_or("an edge is missing")?;
        let (text, preempt) = match text.strip_suffix(" preempt") {
            Some(text) => (text, true),
            None => (text, false),
        };
        if text.starts_with("0x") {
            return Ok(Edge { target: Target::Pc(address(text)?), preempt });
        }
        let (name, args) = match text.split_once('(') {
            Some((name, args)) => (name, args.strip_suffix(')').ok_or("`)` is missing")?),
            None => (text, ""),
        };
        let block = Block(indexed(name, "block").ok_or_else(|| format!("`{name}` is no block"))?);
        let args: Parsed<Vec<Value>> = pieces(args).into_iter().map(|v| self.value(v)).collect();
        Ok(Edge { target: Target::Block(block, args?), preempt })
    }

    fn term(&mut self, text: &str) -> Parsed<()> {
        let (name, operands) = text.split_once(' ').unwrap_or((text, ""));
        let mut operands = pieces(operands).into_iter();
        let mut next = || operands.next().ok_or_else(|| format!("`{name}` lacks an operand"));
        let (class, kind) = name.split_once('.').unwrap_or((name, ""));
        let unknown = || format!("no terminator `{name}`");
        let term = match class {
            "jump" => Term::Jump(self.edge(operands.next())?),
            "br" => {
                let cond = Cond::ALL.into_iter().find(|c| c.name() == kind).ok_or_else(unknown)?;
                let args = [self.value(next()?)?, self.value(next()?)?];
                let then = self.edge(operands.next())?;
                Term::Branch { cond, args, then, els: self.edge(operands.next())? }
            }
            "call" => Term::Call { pc: address(next()?)?, return_pc: address(next()?)? },
            "indirect" => {
                let kind = by_name(&JUMP_NAMES, kind).ok_or_else(unknown)?;
                let base = self.value(next()?)?;
                let disp = i32::try_from(number(next()?)?).map_err(|_| "displacement out of range")?;
                let targets: Parsed<Vec<Edge>> = operands.by_ref().map(|edge| self.edge(Some(edge))).collect();
                Term::Indirect { base, disp, kind, targets: targets? }
            }
            "exit" => Term::Exit { kind: by_name(&EXIT_NAMES, kind).ok_or_else(unknown)?, pc: address(next()?)? },
            _ => return Err(unknown()),
        };
        if operands.next().is_some() {
            return Err(format!("`{name}` has fewer operands"));
        }
        self.region()?.blocks.last_mut().ok_or("no block")?.term = term;
        self.ended = true;
        Ok(())
    }

    fn finish(self) -> Parsed<Region> {
        if !self.ended {
            return Err("the last block has no terminator".into());
        }
        if let Some((n, _)) = self.values.iter().find(|(_, v)| !self.defined[v.index()]) {
            return Err(format!("`v{n}` is not defined"));
        }
        self.region.ok_or_else(|| "no `region` line".into())
    }
}
