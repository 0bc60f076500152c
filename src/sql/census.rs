//! A census of a parse tree: every relation, column and function reference in it, found through the tree's
//! serialisation and so without any hand-written traversal that could forget a place.

use pg_query::protobuf::{FuncCall, Node, ParseResult};
use serde::ser::{self, Serialize};
use std::collections::HashSet;
use std::fmt;

/// A relation reference as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelationRef {
    /// The database part, or empty.
    pub catalog: String,
    /// The schema part, or empty.
    pub schema: String,
    /// The relation's name.
    pub name: String,
    /// The alias, or empty.
    pub alias: String,
    /// `relpersistence`: `t` for TEMP.
    pub persistence: String,
    /// Byte offset of the name; −1 where the grammar keeps none.
    pub location: i32,
}

/// A column reference as it is written; `*` stands for a star.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnReference {
    /// Its parts.
    pub parts: Vec<String>,
    /// Byte offset; −1 where the grammar keeps none (`TABLE t`).
    pub location: i32,
}

/// Every reference of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Relations, in the tree's order.
    pub relations: Vec<RelationRef>,
    /// Columns.
    pub columns: Vec<ColumnReference>,
    /// Functions by name parts, with their location.
    pub functions: Vec<(Vec<String>, i32)>,
    /// Names of common table expressions.
    pub ctes: Vec<String>,
    /// How many queries there are.
    pub queries: usize,
    /// How many statements that write rows.
    pub writes: usize,
    /// Aliases that FOR UPDATE or FOR SHARE name; the grammar keeps them as relations.
    pub locked: Vec<String>,
    /// The least and greatest location that any node has, where one has a location behind the first byte.
    pub extent: Option<(i32, i32)>,
}

/// Counts a tree.
pub fn census(tree: &ParseResult) -> Census {
    count(tree)
}

/// The bytes between the first and the last token of a node that the tree knows a place of.
pub fn extent(node: &Node) -> Option<(usize, usize)> {
    let (least, greatest) = count(node).extent?;
    Some((usize::try_from(least).ok()?, usize::try_from(greatest).ok()?))
}

/// Counts an expression.
pub fn census_of_node(node: &Node) -> Census {
    count(node)
}

/// Counts a function call with its arguments and clauses.
pub fn census_of_call(call: &FuncCall) -> Census {
    count(call)
}

fn count<T: Serialize>(tree: &T) -> Census {
    let mut frames = Counter::default();
    // the counter never fails: its error type has no constructor that it uses
    let _ = tree.serialize(&mut frames);
    let mut census = frames.census;
    // the source of `SET (a, b) = (SELECT …)` stands in the tree once for each column
    let (mut relations, mut columns, mut functions) = (HashSet::new(), HashSet::new(), HashSet::new());
    census
        .relations
        .retain(|r| r.location < 0 || relations.insert(r.location));
    census.columns.retain(|c| c.location < 0 || columns.insert(c.location));
    census.functions.retain(|(_, at)| *at < 0 || functions.insert(*at));
    census
}

#[derive(Default)]
struct Counter {
    census: Census,
    stack: Vec<Frame>,
}

struct Frame {
    name: &'static str,
    field: &'static str,
    relation: RelationRef,
    parts: Vec<String>,
    location: i32,
    text: String,
}

#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the census cannot fail")
    }
}
impl std::error::Error for Never {}
impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Counter {
    fn open(&mut self, name: &'static str) {
        self.stack.push(Frame {
            name,
            field: "",
            relation: RelationRef {
                location: -1,
                ..RelationRef::default()
            },
            parts: Vec::new(),
            location: -1,
            text: String::new(),
        });
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        match frame.name {
            "RangeVar" => {
                let relation = RelationRef {
                    location: frame.location,
                    ..frame.relation
                };
                let names_alias = self.stack.iter().rev().take(2).any(|f| f.name == "LockingClause");
                if names_alias {
                    self.census.locked.push(relation.name);
                } else {
                    self.census.relations.push(relation);
                }
            }
            "ColumnRef" => {
                self.census.columns.push(ColumnReference {
                    parts: frame.parts,
                    location: frame.location,
                });
            }
            "SelectStmt" => self.census.queries += 1,
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => self.census.writes += 1,
            "FuncCall" => self.census.functions.push((frame.parts, frame.location)),
            "CommonTableExpr" => self.census.ctes.push(frame.text),
            "Alias" => {
                if let Some(parent) = self.stack.last_mut().filter(|p| p.name == "RangeVar") {
                    parent.relation.alias = frame.text;
                }
            }
            "String" => self.part(frame.text),
            "AStar" => self.part("*".to_owned()),
            _ => {}
        }
    }

    /// Gives a name part to the reference whose `fields` or `funcname` list is being read.
    fn part(&mut self, text: String) {
        let wanted = |f: &&mut Frame| {
            (f.name == "ColumnRef" && f.field == "fields") || (f.name == "FuncCall" && f.field == "funcname")
        };
        // a part is held by a Node inside the list: the reference is the nearest or next frame
        if let Some(parent) = self.stack.iter_mut().rev().take(2).find(wanted) {
            parent.parts.push(text);
        }
    }

    fn string(&mut self, value: &str) {
        let Some(frame) = self.stack.last_mut() else { return };
        match (frame.name, frame.field) {
            ("RangeVar", "catalogname") => value.clone_into(&mut frame.relation.catalog),
            ("RangeVar", "schemaname") => value.clone_into(&mut frame.relation.schema),
            ("RangeVar", "relname") => value.clone_into(&mut frame.relation.name),
            ("RangeVar", "relpersistence") => value.clone_into(&mut frame.relation.persistence),
            ("Alias", "aliasname") | ("CommonTableExpr", "ctename") | ("String", "sval") => {
                value.clone_into(&mut frame.text);
            }
            _ => {}
        }
    }

    fn number(&mut self, value: i32) {
        if let Some(frame) = self.stack.last_mut().filter(|f| f.field == "location") {
            frame.location = value;
            if value > 0 {
                let (least, greatest) = self.census.extent.unwrap_or((value, value));
                self.census.extent = Some((least.min(value), greatest.max(value)));
            }
        }
    }
}

macro_rules! ignore {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, _: $type) -> Result<(), Never> { Ok(()) })*
    };
}

impl ser::Serializer for &mut Counter {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    ignore!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64,
        serialize_char: char, serialize_bytes: &[u8], serialize_unit_struct: &'static str);

    fn serialize_i32(self, value: i32) -> Result<(), Never> {
        self.number(value);
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), Never> {
        self.string(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self, Never> {
        self.open(name);
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<Self, Never> {
        self.open(name);
        Ok(self)
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for &mut Counter {
            type Ok = ();
            type Error = Never;
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}
elements!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field);

impl ser::SerializeMap for &mut Counter {
    type Ok = ();
    type Error = Never;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, _: &T) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for &mut Counter {
            type Ok = ();
            type Error = Never;
            fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Never> {
                if let Some(frame) = self.stack.last_mut() {
                    frame.field = key;
                }
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), Never> {
                self.close();
                Ok(())
            }
        })*
    };
}
fields!(SerializeStruct, SerializeStructVariant);
