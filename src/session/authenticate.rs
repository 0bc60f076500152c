//! Proves who a client is: which rule asks for what, the exchange, and how often it may fail. Whoever is refused gets the same
//! conversation and the same last word as whoever has a wrong password.

mod clear;
mod factor;
mod ldap;
mod oauth;
mod scram;

use super::stay::Stay;
use super::{End, Shared};
use crate::audit::{Decision, Person};
use crate::config::LoginMethod;
use crate::login::claims::{Pass, Unfit};
use crate::login::{Place, Proof, Tried, certificate};
use crate::net::{Channel, Malformed, frame};
use crate::refusal::{Refusal, SqlState};
use crate::wire::answer;
use crate::wire::startup::Startup;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest message of a client that has not logged in.
const LONGEST_LOGIN: usize = 10_000;
/// Longest token, as in PostgreSQL.
const LONGEST_TOKEN: usize = 65_535;

/// What a login comes to: how it was proved, or the word for the log that says why not.
type Outcome = Result<Proved, &'static str>;

/// Somebody has proved who they are.
struct Proved {
    /// In this one way.
    way: Proof,
    /// When the proof is over, in seconds since 1970.
    until: Option<u64>,
    /// The server's last message, where the exchange has one.
    last: Option<String>,
    /// The verifier of the password, where it was one that is kept.
    password: Option<Arc<str>>,
    /// It is a password that has to be changed.
    is_over: bool,
}

impl Proved {
    fn by(way: Proof) -> Self {
        Self {
            way,
            until: None,
            last: None,
            password: None,
            is_over: false,
        }
    }
}

/// Asks a client to prove that it is who it says; what it is let in by.
pub(super) async fn authenticate(
    shared: &Shared,
    channel: &mut Channel,
    startup: &Startup,
    person: &mut Person,
) -> Result<Stay, End> {
    let login = person.login.clone();
    let address = person.client.parse::<SocketAddr>().ok().map(|a| a.ip());
    let shown = channel.stream().client_certificate();
    let names = shown.map(certificate::names).unwrap_or_default();
    let shown_until = shown.map(certificate::until);
    let mut stay = Stay {
        database: startup.get("database").unwrap_or(&login).to_owned(),
        login,
        address,
        tls: channel.stream().is_tls(),
        way: Proof::Reject,
        program: None,
        certified: false,
        password: None,
        must_change: false,
        until: None,
        doors: None,
    };
    let asked = stay.asked(shared, chrono::Utc::now());
    stay.program.clone_from(&asked.program);
    person.through = stay.named().map(|_| stay.account().to_owned());
    let account = stay.account().to_owned();
    let login = account.as_str();
    let certified = certificate::stand_for(&names, login, &shared.doors.load().certificates);
    let certified_until = shown_until.filter(|_| certified);
    stay.certified = certified;
    let welcome = asked.proof != Proof::Reject;
    let open = welcome && (certified || !asked.certificate);
    let guise = if welcome { asked.proof } else { asked.guise };
    // what must not be read on its way is not asked for where it could be
    let unsafe_here = matches!(guise, Proof::Clear(_) | Proof::OAuth | Proof::Ldap { .. }) && !stay.tls;
    let proof = if unsafe_here { Proof::Reject } else { guise };
    let mut proved = match proof {
        Proof::Certificate => (certified.then(|| Proved::by(Proof::Certificate))).ok_or("wrong-certificate"),
        Proof::Clear(clear) => clear::by_token(shared, channel, login, clear).await?,
        Proof::OAuth => oauth::by_oauth(shared, channel, login).await?,
        Proof::Ldap { totp } => ldap::by_ldap(shared, channel, login, (Place::of(address), open, totp)).await?,
        Proof::Scram => scram::by_scram(shared, channel, login, open).await?,
        Proof::Reject => scram::by_scram(shared, channel, login, false).await?,
    };
    // a client that only asks about the provider has tried nothing, whoever it is
    if !matches!(proved, Err(oauth::ASKED)) {
        if !welcome {
            proved = Err("no-access-rule");
        } else if !open {
            proved = Err("wrong-certificate");
        } else if unsafe_here {
            proved = Err("no-tls");
        }
    }
    let tried = match &proved {
        // nothing was tried, or nobody can tell
        Err(oauth::ASKED | ldap::OUT_OF_REACH) => Tried::Wrong(None),
        proved => (shared.lockout).judge(login, Place::of(address), proved.is_ok(), Instant::now()),
    };
    if let Tried::Wrong(Some(lock)) = tried {
        note_lock(shared, person, lock);
    }
    let last = match (tried, proved) {
        (Tried::Allowed, Ok(proved)) => proved,
        (tried, proved) => {
            let code = match (tried, proved) {
                (Tried::Locked, _) => "locked",
                (_, Err(code)) => code,
                (Tried::Allowed | Tried::Wrong(_), Ok(_)) => "wrong-password",
            };
            let rule = asked
                .line
                .map_or_else(|| "none".to_owned(), |line| format!("line {line}"));
            tracing::info!(
                login = person.login,
                client = person.client,
                code,
                rule,
                "a login is refused"
            );
            if matches!(proof, Proof::OAuth) {
                oauth::refuse(shared, channel).await?;
            }
            return Err(End::Fatal(denied(code, proof, &person.login)));
        }
    };
    if shared.world.people_outdated() {
        let message = "nobody may log in now: who people are could not be read for too long";
        return Err(End::Fatal(
            Refusal::new("people-outdated", SqlState::CannotConnectNow, message)
                .hint("Ask the database administrator."),
        ));
    }
    let world = shared.world.current();
    if world.directory.principal(login).is_none() && world.directory.is_suspended(login) {
        let message = format!("login \"{login}\" is suspended");
        let refusal = Refusal::new("suspended", SqlState::InvalidAuthorization, message);
        return Err(End::Fatal(
            refusal.hint("Ask whoever suspended it, or the database administrator."),
        ));
    }
    if world.directory.principal(login).is_none() {
        return Err(End::Fatal(
            Refusal::new(
                "not-in-directory",
                SqlState::InvalidAuthorization,
                format!("login \"{login}\" has no access: it is not an active person of the directory"),
            )
            .hint("Ask the database administrator."),
        ));
    }
    if last.is_over {
        let desk = shared.desk.is_some() && shared.doors.load().login.method == LoginMethod::Rowgate;
        let is_there = super::desk::of(shared, &stay.database).is_some() && stay.named().is_none();
        if !(desk && is_there) {
            let message = format!("the password of user \"{login}\" has expired");
            let refusal = Refusal::new("password-expired", SqlState::InvalidPassword, message);
            return Err(End::Fatal(refusal.hint(if desk {
                "Connect to the database \"rowgate\" over TLS and say CHANGE PASSWORD TO '…'."
            } else {
                "Ask the administrator of rowgate for a new one."
            })));
        }
        stay.must_change = true;
    }
    let by_certificate = matches!(last.way, Proof::Certificate) || asked.certificate;
    stay.way = last.way;
    // whoever may change it there
    stay.password = last
        .password
        .filter(|_| super::desk::of(shared, &stay.database).is_some());
    stay.until = [last.until, certified_until.filter(|_| by_certificate)]
        .into_iter()
        .flatten()
        .min();
    if let Some(last) = last.last {
        answer::authentication_sasl_final(&mut channel.output, last.as_bytes());
    }
    answer::authentication_ok(&mut channel.output);
    Ok(stay)
}

/// What a token proves for this login.
fn of_pass(found: Result<Pass, Unfit>, login: &str, way: Proof) -> Outcome {
    match found {
        Ok(pass) if pass.login == login => Ok(Proved {
            until: Some(pass.until),
            ..Proved::by(way)
        }),
        Ok(_) => Err("token-of-another-login"),
        Err(Unfit(word)) => Err(word),
    }
}

/// Seconds since 1970, twice.
fn now() -> (u64, f64) {
    let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let seconds = now as f64;
    (now, seconds)
}

async fn password_message(channel: &mut Channel, longest: usize) -> Result<bytes::BytesMut, End> {
    channel.drain().await.map_err(|_| End::Client)?;
    loop {
        match frame::take(&mut channel.input, |_| longest).map_err(End::Malformed)? {
            Some((b'p', body)) => return Ok(body),
            Some(_) => return Err(End::Malformed(Malformed("expected a password message"))),
            None => {}
        }
        if channel.fill().await.map_err(|_| End::Client)? == 0 {
            return Err(End::Client);
        }
    }
}

/// The one answer to every login that is refused before it has proved anything: what was asked for tells which of
/// PostgreSQL's words it is, and who exists does not.
fn denied(code: &'static str, proof: Proof, login: &str) -> Refusal {
    let (method, sqlstate) = match proof {
        Proof::Certificate => ("certificate", SqlState::InvalidAuthorization),
        Proof::OAuth => ("OAuth bearer", SqlState::InvalidAuthorization),
        Proof::Ldap { .. } => ("LDAP", SqlState::InvalidAuthorization),
        Proof::Scram | Proof::Clear(_) | Proof::Reject => ("password", SqlState::InvalidPassword),
    };
    let message = format!("{method} authentication failed for user \"{login}\"");
    Refusal::new(code, sqlstate, message)
}

fn note_lock(shared: &Shared, person: &Person, lock: Duration) {
    tracing::warn!(
        login = person.login,
        client = person.client,
        seconds = lock.as_secs(),
        "too many failed logins: further ones are refused for a while"
    );
    super::login::record(shared, person, "lock-out", Decision::Refused, "locked");
}
