//! A real OpenLDAP server for one test: a process of the test's own, on ports of its own.

use super::proofs::write;
use rowgate::cluster::free_port;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Who searches where not everybody may.
pub const SEARCHER: (&str, &str) = ("cn=rowgate,dc=example,dc=com", "search me");

/// A running server; it goes when this does.
pub struct Slapd {
    server: Child,
    pub port: u16,
    /// TLS at once.
    pub secure_port: u16,
    files: tempfile::TempDir,
}

fn binary(name: &str) -> Command {
    let path = PathBuf::from("/usr/sbin").join(name);
    assert!(
        path.exists(),
        "{} is missing: script/clients installs slapd",
        path.display()
    );
    let mut command = Command::new(path);
    // the server refuses nobody, but root is nobody to serve strangers with
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

const NOBODY: u32 = 65_534;

impl Slapd {
    /// With these people (login and password) below `ou=people,dc=example,dc=com`. `more` stands in its configuration.
    pub fn start(people: &[(&str, &str)], more: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        write(files.path(), "ldap.crt", &made.cert.pem());
        let key = write(files.path(), "ldap.key", &made.signing_key.serialize_pem());
        let data = files.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let base = "dc=example,dc=com";
        let mut entries = format!(
            "dn: {base}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
             dn: ou=people,{base}\nobjectClass: organizationalUnit\nou: people\n\n\
             dn: {}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: rowgate\nuserPassword: {}\n",
            SEARCHER.0, SEARCHER.1
        );
        for (login, password) in people {
            entries.push_str(&format!(
                "\ndn: uid={},ou=people,{base}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {login}\nsn: x\n\
                 mail: {login}@example.com\nemployeeType: staff\nuserPassword: {password}\n",
                login.replace(',', "\\,").replace('*', "\\2a"),
            ));
        }
        let path = |name: &str| files.path().join(name).display().to_string();
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             TLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSVerifyClient never\n{more}\n\
             database mdb\nsuffix \"{base}\"\ndirectory {}\nmaxsize 10485760\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"{}\" read by anonymous auth by * none\n",
            path("ldap.crt"),
            path("ldap.key"),
            data.display(),
            SEARCHER.0,
        );
        let config = write(files.path(), "slapd.conf", &config);
        let entries = write(files.path(), "people.ldif", &entries);
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            for path in [&config, &entries, &data, &key, &files.path().join("ldap.crt")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let added = binary("slapadd")
            .arg("-q")
            .arg("-f")
            .arg(&config)
            .arg("-l")
            .arg(&entries)
            .output();
        let added = added.unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        // somebody else may have taken a port meanwhile
        for _ in 0..5 {
            let (port, secure_port) = (free_port().unwrap(), free_port().unwrap());
            if let Some(server) = spawn(&config, port, secure_port) {
                return Self {
                    server,
                    port,
                    secure_port,
                    files,
                };
            }
        }
        panic!("slapd does not start");
    }

    /// The PEM file with its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.files.path().join("ldap.crt")
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn spawn(config: &Path, port: u16, secure_port: u16) -> Option<Child> {
    let urls = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{secure_port}");
    // a level of its own keeps it in the foreground
    let mut server = binary("slapd")
        .args(["-d", "0", "-h", &urls, "-f"])
        .arg(config)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if server.try_wait().unwrap().is_some() {
            return None;
        }
        if [port, secure_port]
            .iter()
            .all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
        {
            return Some(server);
        }
        std::thread::yield_now();
    }
    let _ = server.kill();
    let _ = server.wait();
    None
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}
