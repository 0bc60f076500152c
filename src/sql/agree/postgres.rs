//! What PostgreSQL's tree refers to, gathered from every node of it.
//!
//! The tree is walked through its own serializer, so that no field of no node can be overlooked: whoever
//! writes a walk by hand forgets one, and what is forgotten is hidden from the comparison.

use super::{Disagreement, Reference, SEPARATOR, STAR, Seen};
use pg_query::protobuf::{CoercionForm, ParseResult};
use serde::ser::{self, Serialize};
use std::fmt;

/// Gathers relations, columns and function calls, each list sorted by place.
pub(super) fn read(tree: &ParseResult) -> Result<Seen, Disagreement> {
    let mut walk = Walk::default();
    tree.serialize(&mut walk)
        .map_err(|Unreadable| Disagreement::StatementKind)?;
    let mut seen = walk.seen;
    seen.sort();
    // the source of `SET (a, b) = (SELECT …)` stands in the tree once for each column
    for list in [&mut seen.relations, &mut seen.columns, &mut seen.functions] {
        list.dedup();
    }
    Ok(seen)
}

#[derive(Debug)]
struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreadable")
    }
}

impl std::error::Error for Unreadable {}

impl ser::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[derive(Default)]
struct Walk {
    seen: Seen,
    /// Strings on the way belong to the name of the node that is being read.
    naming: bool,
    name: String,
    number: i32,
}

impl Walk {
    fn part(&mut self, part: &str) {
        if !self.name.is_empty() {
            self.name.push(SEPARATOR);
        }
        self.name.push_str(part);
    }

    fn named<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.naming = true;
        let result = value.serialize(&mut *self);
        self.naming = false;
        result
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Node {
    Relation,
    Column,
    Function,
    Other,
}

/// A struct on the way; its own name is kept here while its children are read.
struct Fields<'a> {
    walk: &'a mut Walk,
    node: Node,
    name: String,
    location: i32,
    spelled: bool,
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Unreadable> {
        match (self.node, key) {
            (Node::Other, _) => value.serialize(&mut *self.walk),
            (Node::Relation, "catalogname" | "schemaname" | "relname")
            | (Node::Column, "fields")
            | (Node::Function, "funcname") => {
                std::mem::swap(&mut self.walk.name, &mut self.name);
                let result = self.walk.named(value);
                std::mem::swap(&mut self.walk.name, &mut self.name);
                result
            }
            (_, "location") => {
                value.serialize(&mut *self.walk)?;
                self.location = self.walk.number;
                Ok(())
            }
            (Node::Function, "funcformat") => {
                value.serialize(&mut *self.walk)?;
                self.spelled = self.walk.number == CoercionForm::CoerceExplicitCall as i32;
                Ok(())
            }
            _ => value.serialize(&mut *self.walk),
        }
    }

    fn end(self) -> Result<(), Unreadable> {
        let list = match self.node {
            Node::Relation => &mut self.walk.seen.relations,
            Node::Column => &mut self.walk.seen.columns,
            Node::Function if self.spelled => &mut self.walk.seen.functions,
            Node::Function | Node::Other => return Ok(()),
        };
        if self.location < 0 && self.node == Node::Column && self.name == STAR {
            // the columns of `TABLE t`, which stand nowhere in the text
            return Ok(());
        }
        let offset = usize::try_from(self.location).map_err(|_| Unreadable)?;
        list.push(Reference {
            offset,
            name: self.name,
        });
        Ok(())
    }
}

impl<'a> ser::Serializer for &'a mut Walk {
    type Ok = ();
    type Error = Unreadable;
    type SerializeSeq = Self;
    type SerializeTuple = ser::Impossible<(), Unreadable>;
    type SerializeTupleStruct = ser::Impossible<(), Unreadable>;
    type SerializeTupleVariant = ser::Impossible<(), Unreadable>;
    type SerializeMap = ser::Impossible<(), Unreadable>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = ser::Impossible<(), Unreadable>;

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Unreadable> {
        let node = match name {
            "RangeVar" => Node::Relation,
            "ColumnRef" => Node::Column,
            "FuncCall" => Node::Function,
            "AStar" if self.naming => {
                self.part(STAR);
                Node::Other
            }
            _ => Node::Other,
        };
        Ok(Fields {
            walk: self,
            node,
            name: String::new(),
            location: 0,
            spelled: false,
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unreadable> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unreadable> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unreadable> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Unreadable> {
        Ok(self)
    }

    fn serialize_str(self, value: &str) -> Result<(), Unreadable> {
        if self.naming && !value.is_empty() {
            self.part(value);
        }
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unreadable> {
        self.number = value;
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_bool(self, _: bool) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_u32(self, _: u32) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_i64(self, _: i64) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_u64(self, _: u64) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_f64(self, _: f64) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_i8(self, _: i8) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_i16(self, _: i16) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_u8(self, _: u8) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_u16(self, _: u16) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_f32(self, _: f32) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_char(self, _: char) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_unit(self) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unreadable> {
        Err(Unreadable)
    }
}

impl ser::SerializeSeq for &mut Walk {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}
