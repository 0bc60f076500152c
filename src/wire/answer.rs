//! Messages that rowgate itself writes to a client.

use crate::net::frame::{put, put_cstr};
use bytes::{BufMut, BytesMut};

/// `R`: the login has succeeded.
pub fn authentication_ok(out: &mut BytesMut) {
    put(out, b'R', |out| out.put_i32(0));
}

/// `R`: asks for a password as it is. Over TLS and nothing else.
pub fn authentication_cleartext_password(out: &mut BytesMut) {
    put(out, b'R', |out| out.put_i32(3));
}

/// `R`: the SASL mechanisms that the server takes, the best first.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    put(out, b'R', |out| {
        out.put_i32(10);
        for mechanism in mechanisms {
            put_cstr(out, mechanism);
        }
        out.put_u8(0);
    });
}

/// `R`: one step of the SASL exchange.
pub fn authentication_sasl_continue(out: &mut BytesMut, data: &[u8]) {
    put(out, b'R', |out| {
        out.put_i32(11);
        out.put_slice(data);
    });
}

/// `R`: its last step.
pub fn authentication_sasl_final(out: &mut BytesMut, data: &[u8]) {
    put(out, b'R', |out| {
        out.put_i32(12);
        out.put_slice(data);
    });
}

/// The newest minor version of protocol 3 that is spoken: what 3.2 changes are cancel keys, which may be longer there.
pub const NEWEST_MINOR: u16 = 2;

/// `v`: the protocol version that is spoken (the whole of it, as PostgreSQL sends it) and the options that are not known.
pub fn negotiate_protocol_version(out: &mut BytesMut, asked: u16, unknown: &[String]) {
    put(out, b'v', |out| {
        out.put_u16(3);
        out.put_u16(asked.min(NEWEST_MINOR));
        out.put_i32(i32::try_from(unknown.len()).unwrap_or(0));
        for option in unknown {
            put_cstr(out, option);
        }
    });
}

/// `S`: a setting's value.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    put(out, b'S', |out| {
        put_cstr(out, name);
        put_cstr(out, value);
    });
}

/// `K`: what a cancel request must name.
pub fn backend_key_data(out: &mut BytesMut, process: i32, secret: i32) {
    put(out, b'K', |out| {
        out.put_i32(process);
        out.put_i32(secret);
    });
}

/// `Z`: ready for the next query; `I` idle, `T` in a transaction, `E` in a failed one.
pub fn ready_for_query(out: &mut BytesMut, status: u8) {
    put(out, b'Z', |out| out.put_u8(status));
}

/// `3`: a statement or portal is closed.
pub fn close_complete(out: &mut BytesMut) {
    put(out, b'3', |_| {});
}
