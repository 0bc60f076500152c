//! What logins that do not exist are made up from: the same at every try, so that nobody tells by the salt of a password who
//! does exist.

use super::token::private_secret;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::path::Path;

/// What the secret is derived for.
const PURPOSE: &[u8] = b"rowgate: logins that do not exist";

/// The secret that salts of unknown logins are made from: out of `[login] decoy_key` if there is one, else out of the key of
/// TLS, which rowgates behind one name share; by chance where there is neither, and another one after each start.
pub fn secret(decoy_key: Option<&Path>, tls_key: Option<&Path>) -> Result<[u8; 32], String> {
    let seed = match (decoy_key, tls_key) {
        (Some(path), _) => private_secret(path)?.into_bytes(),
        (None, Some(path)) => std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?,
        (None, None) => return Ok(rand::random()),
    };
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&seed).map_err(|e| e.to_string())?;
    mac.update(PURPOSE);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_same_wherever_the_key_is_the_same() {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let key = write("a", "0123456789abcdef0123456789abcdef\n");
        let other = write("b", "0123456789abcdef0123456789abcdeF");
        let of = |path: &Path| secret(Some(path), None).unwrap();
        assert_eq!(of(&key), of(&write("c", "0123456789abcdef0123456789abcdef")));
        assert_ne!(of(&key), of(&other));
        assert_eq!(secret(Some(&key), Some(&other)), Ok(of(&key)));
        assert_eq!(secret(None, Some(&other)), secret(None, Some(&other)));
        assert_ne!(secret(None, None), secret(None, None));
        assert!(
            secret(Some(&write("d", "short")), None)
                .unwrap_err()
                .contains("at least 32")
        );
    }
}
