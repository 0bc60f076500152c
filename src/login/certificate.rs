//! Whose certificate a client has shown: its names, and the logins that these stand for.

use std::collections::BTreeMap;
use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::{Decode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The subject's common name, if there is exactly one, and its alternative names that are e-mail addresses or host
/// names. Names with control characters are left out, so that nothing hides behind a NUL.
pub fn names(der: &[u8]) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(der) else {
        return Vec::new();
    };
    let subject = &certificate.tbs_certificate.subject;
    let common: Vec<Option<String>> = (subject.0.iter())
        .flat_map(|set| set.0.iter())
        .filter(|part| part.oid == CN)
        .map(|part| match part.value.tag() {
            Tag::Utf8String => part.value.decode_as::<Utf8StringRef<'_>>().ok().map(|s| s.to_string()),
            Tag::PrintableString => (part.value.decode_as::<PrintableStringRef<'_>>().ok()).map(|s| s.to_string()),
            _ => None,
        })
        .collect();
    let common = match common.as_slice() {
        [Some(name)] => Some(name.clone()),
        _ => None,
    };
    let extensions = certificate.tbs_certificate.extensions.iter().flatten();
    let alternative = extensions
        .filter(|extension| extension.extn_id == SubjectAltName::OID)
        .filter_map(|extension| SubjectAltName::from_der(extension.extn_value.as_bytes()).ok())
        .flat_map(|names| names.0)
        .filter_map(|name| match name {
            GeneralName::Rfc822Name(name) | GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        });
    let usable = |name: &String| !name.is_empty() && !name.chars().any(char::is_control);
    common.into_iter().chain(alternative).filter(usable).collect()
}

/// When it ends, in seconds since 1970; at once for what is no certificate.
pub fn until(der: &[u8]) -> u64 {
    Certificate::from_der(der).map_or(0, |certificate| {
        let end = certificate.tbs_certificate.validity.not_after;
        end.to_unix_duration().as_secs()
    })
}

/// May a certificate with these names log in so? A name that is mapped stands for the login that the map gives it,
/// and for no other; every other name stands for itself.
pub fn stand_for(names: &[String], login: &str, map: &BTreeMap<String, String>) -> bool {
    names
        .iter()
        .any(|name| map.get(name).map_or(name.as_str(), String::as_str) == login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        names(params.self_signed(&key).unwrap().der())
    }

    #[test]
    fn common_and_alternative_names() {
        let got = made(|p| {
            p.distinguished_name.push(DnType::OrganizationName, "Example");
            p.distinguished_name.push(DnType::CommonName, "alice");
            p.subject_alt_names = vec![
                SanType::Rfc822Name("alice@example.com".try_into().unwrap()),
                SanType::DnsName("bi.example.com".try_into().unwrap()),
                SanType::IpAddress([10, 0, 0, 1].into()),
            ];
        });
        assert_eq!(got, ["alice", "alice@example.com", "bi.example.com"]);
        let printable = |p: &mut CertificateParams| {
            let name = DnValue::PrintableString("bob".try_into().unwrap());
            p.distinguished_name.push(DnType::CommonName, name);
        };
        assert_eq!(made(printable), ["bob"]);
        assert!(made(|p| p.distinguished_name.push(DnType::CommonName, "alice\0.example.com")).is_empty());
        assert!(names(b"nonsense").is_empty() && until(b"nonsense") == 0);
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2026, 11, 22);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(until(made.der()), 1_795_305_600);
    }

    #[test]
    fn a_mapped_name_stands_for_nothing_else() {
        let map = BTreeMap::from([
            ("alice@example.com".to_owned(), "alice".to_owned()),
            ("root".to_owned(), "dora".to_owned()),
        ]);
        let names = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(stand_for(&names(&["bob"]), "bob", &map));
        assert!(stand_for(&names(&["x", "alice@example.com"]), "alice", &map));
        assert!(stand_for(&names(&["root"]), "dora", &map));
        assert!(!stand_for(&names(&["root"]), "root", &map));
        assert!(!stand_for(&names(&["bob"]), "alice", &map));
        assert!(!stand_for(&[], "", &map));
    }
}
