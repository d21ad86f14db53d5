//! A restricted unpickler: the opcodes of Python's pickle, without anything that could be executed.
//!
//! Opcodes are those of `pickletools` up to protocol 5. A call is only made to the few names in [`Global`], and what it would do is
//! done here. Objects lie in one list and refer to each other by position, so that depth, sharing and cycles of a pickle cost no stack
//! and no memory beyond a constant for each of its bytes.

use std::collections::HashMap;
use std::rc::Rc;

use super::error::PickleError;
use super::op;
use super::reader::Reader;
use super::rebuild;
use super::value::{Global, Object, Value, full_name};

/// Bytes of a pickle: 100,000 tensors take 20 MB.
pub const MOST_BYTES: usize = 64 << 20;
/// Opcodes of a pickle: a tensor takes about 40.
const MOST_OPCODES: usize = 4_000_000;

/// What a pickle holds.
pub struct Pickle {
    /// All objects.
    pub objects: Vec<Object>,
    /// The value that was pickled.
    pub root: Value,
}

impl Pickle {
    /// Reads a pickle.
    pub fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        if bytes.len() > MOST_BYTES {
            return Err(PickleError::TooLarge { what: "bytes", most: MOST_BYTES });
        }
        let mut machine = Machine { reader: Reader::new(bytes), stack: vec![], marks: vec![], memo: HashMap::new(), objects: vec![] };
        for _ in 0..MOST_OPCODES {
            if let Some(root) = machine.step()? {
                return Ok(Self { objects: machine.objects, root });
            }
        }
        Err(PickleError::TooLarge { what: "opcodes", most: MOST_OPCODES })
    }

    /// The entries of a value that is a dict.
    pub fn dict(&self, value: &Value) -> Option<&[(Value, Value)]> {
        match value {
            Value::Object(index) => match &self.objects[*index] {
                Object::Dict(entries) => Some(entries),
                _ => None,
            },
            _ => None,
        }
    }
}

struct Machine<'a> {
    reader: Reader<'a>,
    stack: Vec<Value>,
    /// Heights of the stack at which lists begin.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    objects: Vec<Object>,
}

impl Machine<'_> {
    /// Does one opcode; the value, where it was the last.
    fn step(&mut self) -> Result<Option<Value>, PickleError> {
        let code = self.reader.byte()?;
        match code {
            op::STOP => return self.pop().map(Some),
            // PROTO and FRAME say nothing that is needed.
            op::PROTO => drop(self.reader.byte()?),
            op::FRAME => drop(self.reader.number(8)?),
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => self.discard()?,
            op::POP_MARK | op::ADDITEMS => drop(self.take_to_mark()?),
            op::DUP => {
                let top = self.top()?.clone();
                self.stack.push(top);
            }
            op::BINPUT => self.remember(1)?,
            op::LONG_BINPUT => self.remember(4)?,
            op::MEMOIZE => self.memoize(self.memo.len() as u64)?,
            op::BINGET => self.recall(1)?,
            op::LONG_BINGET => self.recall(4)?,
            op::EMPTY_LIST | op::EMPTY_TUPLE => self.make(Object::List(vec![])),
            op::EMPTY_DICT => self.make(Object::Dict(vec![])),
            op::LIST | op::TUPLE => {
                let items = self.take_to_mark()?;
                self.make(Object::List(items));
            }
            op::DICT => {
                let items = self.take_to_mark()?;
                self.make(Object::Dict(pairs(items)));
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let count = usize::from(code - op::TUPLE1 + 1);
                let start = self.stack.len().checked_sub(count).filter(|start| *start >= self.floor());
                let items = self.stack.split_off(start.ok_or_else(|| self.damaged("a tuple of too few values"))?);
                self.make(Object::List(items));
            }
            op::APPEND => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            op::APPENDS => {
                let items = self.take_to_mark()?;
                self.extend(items)?;
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![key, value])?;
            }
            op::SETITEMS => {
                let items = self.take_to_mark()?;
                self.insert(items)?;
            }
            // A set is not read.
            op::EMPTY_SET => self.stack.push(Value::Inert),
            op::FROZENSET => {
                self.take_to_mark()?;
                self.stack.push(Value::Inert);
            }
            op::GLOBAL | op::STACK_GLOBAL | op::REDUCE | op::BUILD | op::NEWOBJ | op::NEWOBJ_EX | op::INST | op::OBJ | op::BINPERSID => {
                self.object(code)?;
            }
            _ => {
                let value = self.scalar(code)?;
                self.stack.push(value);
            }
        }
        Ok(None)
    }

    /// Names, calls, objects and storages.
    fn object(&mut self, code: u8) -> Result<(), PickleError> {
        match code {
            op::GLOBAL => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                self.make(Object::Global(Global::of(&module, &name)));
            }
            // This and the next only protocols 0 and 1 write.
            op::INST => return Err(PickleError::Object(full_name(&self.reader.line()?, &self.reader.line()?))),
            op::OBJ => {
                let items = self.take_to_mark()?;
                let class = items.first().and_then(|class| self.global(class).cloned());
                return Err(self.refused(class, PickleError::Object));
            }
            op::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.make(Object::Global(Global::of(&module, &name))),
                _ => return Err(self.damaged("a name that is no text")),
            },
            op::REDUCE => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let made = match (self.global(&callable), self.list(&arguments)) {
                    (Some(Global::Unknown(name)), _) => return Err(PickleError::Call(name.to_string())),
                    (Some(global), Some(arguments)) => rebuild::call(global, arguments, &self.objects),
                    _ => return Err(self.damaged("a call of what cannot be called")),
                };
                match made.map_err(|problem| self.damaged(&problem))? {
                    rebuild::Made::Object(object) => self.make(object),
                    rebuild::Made::Value(value) => self.stack.push(value),
                }
            }
            op::NEWOBJ | op::NEWOBJ_EX => {
                if code == op::NEWOBJ_EX {
                    self.pop()?;
                }
                let (_, class) = (self.pop()?, self.pop()?);
                match self.global(&class).cloned() {
                    Some(Global::Dict) => self.make(Object::Dict(vec![])),
                    Some(Global::Plain) => self.stack.push(Value::Inert),
                    class => {
                        // What `nn.Module` keeps in each of its objects.
                        let model = self.reader.rest_holds(b"_parameters") && self.reader.rest_holds(b"_modules");
                        return Err(self.refused(class, if model { PickleError::Model } else { PickleError::Object }));
                    }
                }
            }
            // Attributes of what stays on the stack, such as a state dict's `_metadata`, are not read.
            op::BUILD => {
                self.pop()?;
                let top = self.top()?.clone();
                if let Some(global) = self.global(&top).cloned() {
                    return Err(self.refused(Some(global), PickleError::Object));
                }
            }
            // A persistent id, which is a storage's.
            _ => {
                let id = self.pop()?;
                let storage = self.list(&id).ok_or_else(|| "a reference to what is no storage".to_owned());
                let storage = storage.and_then(|id| rebuild::storage(id, &self.objects));
                let storage = storage.map_err(|problem| self.damaged(&problem))?;
                self.make(Object::Storage(Rc::new(storage)));
            }
        }
        Ok(())
    }

    /// Numbers and texts.
    fn scalar(&mut self, code: u8) -> Result<Value, PickleError> {
        Ok(match code {
            op::BINFLOAT => {
                self.reader.take(8)?;
                Value::Inert
            }
            op::BININT1 => Value::Int(i64::from(self.reader.byte()?)),
            op::BININT2 => Value::Int(self.reader.number(2)? as i64),
            op::BININT => Value::Int(i64::from(self.reader.number(4)? as u32 as i32)),
            op::NEWTRUE | op::NEWFALSE => Value::Bool(code == op::NEWTRUE),
            op::LONG1 => self.reader.long(1)?.map_or(Value::Inert, Value::Int),
            op::LONG4 => self.reader.long(4)?.map_or(Value::Inert, Value::Int),
            // As text, in protocol 0; there `01` and `00` are truth values.
            op::INT | op::LONG => match &*self.reader.line()? {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => digits.trim_end_matches('L').parse().map_or(Value::Inert, Value::Int),
            },
            op::FLOAT => {
                self.reader.line()?;
                Value::Inert
            }
            op::STRING | op::UNICODE => Value::Text(self.reader.line()?.trim_matches(['\'', '"']).into()),
            op::BINUNICODE | op::BINSTRING => Value::Text(self.reader.text(4)?),
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => Value::Text(self.reader.text(1)?),
            op::BINUNICODE8 => Value::Text(self.reader.text(8)?),
            op::BINBYTES => self.skipped(4)?,
            op::SHORT_BINBYTES => self.skipped(1)?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.skipped(8)?,
            op::NONE => Value::Inert,
            other => return Err(self.damaged(&format!("the opcode {other:#04x}, which torch does not write"))),
        })
    }

    /// Bytes, which are not read.
    fn skipped(&mut self, width: usize) -> Result<Value, PickleError> {
        self.reader.counted(width)?;
        Ok(Value::Inert)
    }

    fn damaged(&self, problem: &str) -> PickleError {
        PickleError::Damaged { at: self.reader.at(), problem: problem.to_owned() }
    }

    /// The error for an object of a class that is not read.
    fn refused(&self, class: Option<Global>, error: fn(String) -> PickleError) -> PickleError {
        match class {
            Some(Global::Unknown(name)) => error(name.to_string()),
            Some(known) => self.damaged(&format!("{known:?} used as a class")),
            None => self.damaged("an object of what is no class"),
        }
    }

    fn make(&mut self, object: Object) {
        self.objects.push(object);
        self.stack.push(Value::Object(self.objects.len() - 1));
    }

    /// The height below which the innermost mark lets nothing be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<&Value, PickleError> {
        self.stack.get(self.floor()..).and_then(<[Value]>::last).ok_or_else(|| self.damaged("a value of an empty stack"))
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        let top = self.top()?.clone();
        self.stack.pop();
        Ok(top)
    }

    /// POP takes a mark where it is on top.
    fn discard(&mut self) -> Result<(), PickleError> {
        if self.stack.len() == self.floor() && self.marks.pop().is_some() {
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn take_to_mark(&mut self) -> Result<Vec<Value>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.damaged("the end of a list that never began"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn remember(&mut self, width: usize) -> Result<(), PickleError> {
        let key = self.reader.number(width)?;
        self.memoize(key)
    }

    fn memoize(&mut self, key: u64) -> Result<(), PickleError> {
        let top = self.top()?.clone();
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<(), PickleError> {
        let key = self.reader.number(width)?;
        let value = self.memo.get(&key).cloned();
        self.stack.push(value.ok_or_else(|| self.damaged(&format!("memo {key}, which was never written")))?);
        Ok(())
    }

    /// Adds to the list on top; to a set, nothing.
    fn extend(&mut self, items: Vec<Value>) -> Result<(), PickleError> {
        match self.top()?.clone() {
            Value::Object(index) if matches!(self.objects[index], Object::List(_)) => {
                if let Object::List(list) = &mut self.objects[index] {
                    list.extend(items);
                }
                Ok(())
            }
            _ => Err(self.damaged("items of what is no list")),
        }
    }

    /// Adds keys and values to the dict on top.
    fn insert(&mut self, items: Vec<Value>) -> Result<(), PickleError> {
        match self.top()?.clone() {
            Value::Object(index) if matches!(self.objects[index], Object::Dict(_)) && items.len().is_multiple_of(2) => {
                if let Object::Dict(dict) = &mut self.objects[index] {
                    dict.extend(pairs(items));
                }
                Ok(())
            }
            _ => Err(self.damaged("entries of what is no dict")),
        }
    }

    fn global(&self, value: &Value) -> Option<&Global> {
        match value {
            Value::Object(index) => match &self.objects[*index] {
                Object::Global(global) => Some(global),
                _ => None,
            },
            _ => None,
        }
    }

    fn list(&self, value: &Value) -> Option<&[Value]> {
        rebuild::list(value, &self.objects)
    }
}

/// Keys and values that alternate.
fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}
