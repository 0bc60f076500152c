//! The demonstration itself: five people ask the same questions, and whatever ends it, nothing stays behind.

use crate::support::{Database, shipped};
use rowgate::demo::people::FIVE;
use rowgate::demo::questions;
use rowgate::demo::table::{self, Style};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[tokio::test]
async fn five_people_get_five_views() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let mut people = Vec::new();
    for person in FIVE {
        people.push((person, database.through(&front, person.login).await));
    }
    let lines = questions::ask(&people, &database.superuser().await).await.unwrap();
    let style = Style {
        width: 200,
        colour: false,
    };
    insta::assert_snapshot!(table::draw(&lines, style));
    drop(people);
    front.stop().await;
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_rowgate"))
        .args(["demo", "--once", "--port", "0", "--policies"])
        .arg(shipped("policies"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let table: String = text
        .lines()
        .filter(|line| line.starts_with(['┌', '│', '├', '└']))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!table.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let readme = std::fs::read_to_string(shipped("README.md")).unwrap();
    assert!(readme.contains(&table), "put this into README.md:\n{table}");
}

/// A demonstration in a process of its own, whose files are all below one directory.
struct Running {
    process: Child,
    files: tempfile::TempDir,
}

impl Running {
    fn begin() -> Self {
        let files = tempfile::tempdir().unwrap();
        // the server's account, where that is another, must be able to enter
        std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_rowgate"))
            .args(["demo", "--scale", "0.05", "--port", "0", "--policies"])
            .arg(shipped("policies"))
            .env("TMPDIR", files.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("Ctrl-C ends it") {
            assert_ne!(output.read_line(&mut text).unwrap(), 0, "it ended by itself: {text}");
        }
        Self { process, files }
    }

    fn left(&self) -> usize {
        std::fs::read_dir(self.files.path()).unwrap().count()
    }

    fn end(mut self, signal: &str) {
        assert_eq!(self.left(), 1, "a running server has a directory");
        // the shell's own kill: not every machine has the program
        let status = Command::new("sh")
            .args(["-c", &format!("kill {signal} {}", self.process.id())])
            .status()
            .unwrap();
        assert!(status.success());
        self.process.wait().unwrap();
        // after SIGKILL the keeper needs a moment
        let since = Instant::now();
        while self.left() > 0 {
            assert!(since.elapsed() < Duration::from_secs(10), "files stayed after {signal}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Nor does a test that fails leave anything behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    Running::begin().end("-INT");
}

#[test]
fn not_even_being_killed_leaves_anything_behind() {
    Running::begin().end("-KILL");
}
