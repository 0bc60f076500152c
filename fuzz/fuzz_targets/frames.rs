//! Any bytes: cut into frames and decoded without a panic; a frame is consumed whole or refused, and nothing behind
//! it is touched.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use rowgate::net::{Fields, frame};
use rowgate::wire::message::{ClientMessage, body_limit};
use rowgate::wire::row_description;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    loop {
        let before = buffer.len();
        let Ok(Some((tag, mut body))) = frame::take(&mut buffer, |tag| body_limit(tag, 1 << 20, 1 << 20)) else {
            break;
        };
        assert_eq!(before, buffer.len() + frame::HEADER + body.len());
        assert!(bytes.ends_with(&buffer));
        if let Ok(message) = ClientMessage::decode(tag, &body) {
            if let ClientMessage::Bind { parameters, .. } = &message {
                let shown = parameters.for_audit(20);
                assert!(shown.len() <= usize::from(u16::MAX));
            }
            // one byte more is one too many, but where nothing is decoded
            let mut longer = body.to_vec();
            longer.push(0);
            let opaque = matches!(message, ClientMessage::Copy | ClientMessage::FunctionCall);
            assert!(opaque || ClientMessage::decode(tag, &longer).is_err());
        }
        if let Ok(fields) = Fields::decode(&body) {
            let mut out = BytesMut::new();
            fields.encode(b'E', &mut out);
            let (_, again) = frame::take(&mut out, |_| usize::MAX)
                .expect("a frame of our own")
                .expect("a whole frame");
            assert_eq!(Fields::decode(&again).expect("fields of our own"), fields);
        }
        let _ = row_description::shape(&body);
        let _ = row_description::patch(&mut body, &[None, None]);
    }
});
