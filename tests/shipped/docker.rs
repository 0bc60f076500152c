//! What can be said of the Docker files without Docker: they are well-formed and fit each other and the program.

use rowgate::config::Config;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_postgres::config::Host;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn configuration() -> Config {
    Config::parse(
        "docker/rowgate.toml",
        &read("docker/rowgate.toml"),
        Path::new("/etc/rowgate"),
    )
    .unwrap()
}

fn services() -> Yaml {
    let documents = YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap();
    documents[0]["services"].clone()
}

/// The Dockerfile's instructions, continuation lines joined, comments left out.
fn instructions() -> Vec<(String, String)> {
    read("Dockerfile")
        .replace("\\\n", " ")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap();
            (word.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

#[test]
fn the_images_configuration_is_accepted_and_fits_the_services() {
    let config = configuration();
    assert_eq!(config.policies, Path::new("/etc/rowgate/policies"));
    let services = services();
    assert_eq!(
        services[config.upstream.host.as_str()]["environment"]["POSTGRES_DB"].as_str(),
        Some(config.upstream.database.as_str())
    );
    let published = services["rowgate"]["ports"][0].as_str().unwrap();
    assert!(published.ends_with(&format!(":{}", config.listen.port)));
    assert!(
        published.starts_with("127.0.0.1:"),
        "the demonstration's passwords are well known"
    );
}

#[test]
fn each_service_waits_for_what_it_needs() {
    let services = services();
    for (name, service) in services.as_hash().unwrap() {
        let Some(needed) = service["depends_on"].as_hash() else {
            continue;
        };
        for (other, how) in needed {
            let other = &services[other.as_str().unwrap()];
            assert!(
                other.as_hash().is_some(),
                "{name:?} waits for a service that is not there"
            );
            match how["condition"].as_str().unwrap() {
                "service_healthy" => assert!(other["healthcheck"].as_hash().is_some(), "{name:?}"),
                "service_completed_successfully" => {}
                condition => panic!("{name:?} waits for {condition}"),
            }
        }
    }
}

#[test]
fn the_data_is_made_by_a_superuser_of_that_server() {
    let services = services();
    let command: Vec<String> = services["data"]["command"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(command[..3], ["demo", "--fill-only", "--database"]);
    let url: tokio_postgres::Config = command[3].parse().unwrap();
    assert_eq!(url.get_hosts(), [Host::Tcp("db".to_owned())]);
    assert_eq!(url.get_dbname(), services["db"]["environment"]["POSTGRES_DB"].as_str());
    let password = services["db"]["environment"]["POSTGRES_PASSWORD"].as_str().unwrap();
    assert_eq!(url.get_password(), Some(password.as_bytes()));
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_tells_its_health() {
    let all = instructions();
    let user = all.iter().rfind(|(word, _)| word == "USER").expect("a USER");
    assert!(user.1.parse::<u32>().is_ok_and(|id| id != 0), "USER {}", user.1);
    assert!(all.iter().any(|(word, _)| word == "HEALTHCHECK"));
    assert_eq!(
        all.iter().filter(|(word, _)| word == "FROM").count(),
        2,
        "a build stage and an image"
    );
    let port = configuration().listen.port.to_string();
    assert!(all.contains(&("EXPOSE".to_owned(), port)));
}

#[test]
fn everything_that_is_copied_exists_and_reaches_the_builder() {
    let admitted: Vec<String> = read(".dockerignore")
        .lines()
        .filter_map(|line| line.strip_prefix('!').map(str::to_owned))
        .collect();
    for (_, paths) in instructions()
        .iter()
        .filter(|(word, rest)| word == "COPY" && !rest.contains("--from"))
    {
        let words: Vec<&str> = paths.split_whitespace().collect();
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source}");
            assert!(
                admitted.iter().any(|path| Path::new(source).starts_with(path)),
                "{source} is left out by .dockerignore"
            );
        }
    }
}

#[test]
fn what_the_build_stage_gets_is_a_whole_package() {
    let stage = tempfile::tempdir().unwrap();
    let build = instructions()
        .into_iter()
        .skip(1)
        .take_while(|(word, _)| word != "FROM");
    for (_, paths) in build.filter(|(word, _)| word == "COPY") {
        let words: Vec<&str> = paths.split_whitespace().collect();
        for source in &words[..words.len() - 1] {
            let copied = Command::new("cp")
                .arg("-R")
                .arg(root().join(source))
                .arg(stage.path())
                .status()
                .unwrap();
            assert!(copied.success(), "{source}");
        }
    }
    assert_eq!(
        targets(&root()),
        targets(stage.path()),
        "cargo refuses a package that lacks one"
    );
}

/// The package's targets but its tests, which cargo finds by itself or does without.
fn targets(package: &Path) -> Vec<String> {
    let told = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--locked",
            "--format-version",
            "1",
        ])
        .current_dir(package)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    told["packages"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| format!("{} {}", target["kind"][0], target["name"]))
        .filter(|target| !target.starts_with("\"test\""))
        .collect()
}
