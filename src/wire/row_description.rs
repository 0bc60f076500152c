//! RowDescription: each column's origin as the client would see it without rowgate.

use crate::gate::Origin;
use crate::net::{Body, Malformed};
use bytes::{Buf, BytesMut};

/// Puts the origins into a RowDescription's body, in place. After an error some may have been put there.
pub fn patch(body: &mut [u8], origins: &[Option<Origin>]) -> Result<(), Malformed> {
    const FIXED: usize = 18;
    let short = Malformed("a description of rows that ends too soon");
    let mut at = 2;
    for column in 0..Body::new(body).u16()? {
        let name = body.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0));
        at += name.ok_or(short)? + 1;
        // table, column, type, size, modifier, format
        let fixed = body.get_mut(at..at + FIXED).ok_or(short)?;
        if let (Some(Some(origin)), [t0, t1, t2, t3, c0, c1, ..]) = (origins.get(usize::from(column)), fixed) {
            [*t0, *t1, *t2, *t3] = origin.table.to_be_bytes();
            [*c0, *c1] = origin.column.to_be_bytes();
        }
        at += FIXED;
    }
    if at == body.len() { Ok(()) } else { Err(short) }
}

/// Takes the first column out of a RowDescription's body.
pub fn cut_first(body: &mut BytesMut) -> Result<(), Malformed> {
    let mut reader = Body::new(body);
    let left = reader
        .u16()?
        .checked_sub(1)
        .ok_or(Malformed("a result without columns"))?;
    reader.cstr_bytes()?;
    reader.bytes(18)?;
    let begin = body.len() - reader.rest().len();
    for _ in 0..left {
        reader.cstr_bytes()?;
        reader.bytes(18)?;
    }
    reader.finish()?;
    // the count moves up to what stays
    body.advance(begin - 2);
    if let Some(count) = body.get_mut(..2) {
        count.copy_from_slice(&left.to_be_bytes());
    }
    Ok(())
}

/// What PostgreSQL compares when a plan's result may not change: names, types and modifiers.
pub fn shape(body: &[u8]) -> Result<Vec<(Vec<u8>, u32, i32)>, Malformed> {
    let mut reader = Body::new(body);
    let count = reader.u16()?;
    let mut shape = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let name = reader.cstr_bytes()?.to_vec();
        reader.bytes(6)?;
        let type_oid = reader.u32()?;
        reader.u16()?;
        let modifier = reader.i32()?;
        reader.u16()?;
        shape.push((name, type_oid, modifier));
    }
    reader.finish()?;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_put_in_place() {
        let mut body = b"\0\x02a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0b\0\0\0\0\x05\0\x06\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0".to_vec();
        patch(&mut body, &[Some(Origin { table: 9, column: 2 }), None]).unwrap();
        assert_eq!(&body[4..10], b"\0\0\0\x09\0\x02");
        assert_eq!(&body[24..30], b"\0\0\0\x05\0\x06");
        assert_eq!(shape(&body).unwrap()[1], (b"b".to_vec(), 25, -1));
        assert!(patch(&mut body[..20], &[]).is_err());
    }

    #[test]
    fn the_first_column_is_cut() {
        let one = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
        let mut two = BytesMut::from(&b"\0\x02check\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"[..]);
        two.extend_from_slice(&one[2..]);
        cut_first(&mut two).unwrap();
        assert_eq!(two[..], one[..]);
        cut_first(&mut two).unwrap();
        assert_eq!(two[..], [0, 0]);
        assert!(cut_first(&mut two).is_err());
    }
}
