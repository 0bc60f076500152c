//! One-time passwords of an authenticator (RFC 6238: SHA-1, six digits, 30 seconds) behind the password.

use totp_rs::{Builder, Secret, Totp};

/// Digits of a code.
const DIGITS: usize = 6;
/// Seconds of a step.
const STEP: u64 = 30;

/// Is this a secret of enough bits, in base 32?
pub fn is_secret(text: &str) -> bool {
    of(text).is_some()
}

fn of(secret: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret).ok()?;
    Builder::new().with_secret(secret).build().ok()
}

/// A new secret, in base 32.
pub fn new_secret() -> String {
    in_base32(&rand::random::<[u8; 20]>())
}

/// A secret in base 32, as authenticators take it.
pub fn in_base32(secret: &[u8]) -> String {
    Secret::new(Box::from(secret)).to_base32()
}

/// What authenticators read, as a picture or typed in.
pub fn address(login: &str, secret: &str) -> String {
    let login: String = login
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect();
    format!("otpauth://totp/rowgate:{login}?secret={secret}&issuer=rowgate")
}

/// The password and the code behind it; `None` where no code is there.
pub fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.len().checked_sub(DIGITS)?;
    let (password, code) = text.split_at_checked(at)?;
    code.bytes().all(|b| b.is_ascii_digit()).then_some((password, code))
}

/// The step that a code is of, one step early or late allowed; and when that step can be used no more. Times in seconds
/// since 1970.
pub fn check(secret: &str, code: &str, now: u64) -> Option<(u64, u64)> {
    let step = of(secret)?.check(code, now)?;
    Some((step, (step + 2) * STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "12345678901234567890", the secret of RFC 6238's examples.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_of_the_standard() {
        assert_eq!(check(SECRET, "287082", 59), Some((1, 90)));
        assert_eq!(check(SECRET, "287082", 89).map(|c| c.0), Some(1));
        assert_eq!(check(SECRET, "287082", 90), None);
        assert_eq!(check(SECRET, "081804", 1_111_111_109).map(|c| c.0), Some(37_037_036));
        assert_eq!(check(SECRET, "287083", 59), None);
        assert_eq!(check("GEZDG", "287082", 59), None);
    }

    #[test]
    fn a_code_stands_behind_the_password() {
        assert_eq!(split("secret123456"), Some(("secret", "123456")));
        assert_eq!(split("123456"), Some(("", "123456")));
        assert_eq!(split("sécré12345"), None);
        assert_eq!(split("12345"), None);
        assert_eq!(split("passwordé1234"), None);
    }

    #[test]
    fn new_secrets_are_good_and_addresses_quoted() {
        let secret = new_secret();
        assert!(is_secret(&secret) && secret != new_secret());
        assert_eq!(
            address("a&b c", "X"),
            "otpauth://totp/rowgate:a%26b%20c?secret=X&issuer=rowgate"
        );
    }
}
