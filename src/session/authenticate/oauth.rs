//! OAUTHBEARER: a token of the identity provider, which the client may ask about first.

use super::{End, LONGEST_TOKEN, Outcome, Shared, of_pass, password_message};
use crate::login::Proof;
use crate::login::claims::Unfit;
use crate::net::Channel;
use crate::refusal::Refusal;
use crate::wire::{answer, oauthbearer};

/// Word for the log: the client has asked what it needs for a token, and tried nothing.
pub(super) const ASKED: &str = "token-asked-for";

/// Asks for a token and checks it.
pub(super) async fn by_oauth(shared: &Shared, channel: &mut Channel, login: &str) -> Result<Outcome, End> {
    answer::authentication_sasl(&mut channel.output, &[oauthbearer::NAME]);
    let mut body = password_message(channel, LONGEST_TOKEN).await?;
    let message = match oauthbearer::initial(&body).map_err(End::Malformed)? {
        Some(message) => message,
        None => {
            answer::authentication_sasl_continue(&mut channel.output, b"");
            body = password_message(channel, LONGEST_TOKEN).await?;
            &body
        }
    };
    let token = match oauthbearer::said(message).map_err(End::Malformed)? {
        oauthbearer::Said::Token(token) => token,
        oauthbearer::Said::Discovery => return Ok(Err(ASKED)),
        oauthbearer::Said::Unusable => return Ok(Err("token-malformed")),
        oauthbearer::Said::Identity => {
            let message = "client uses authorization identity, but it is not supported";
            return Err(End::Fatal(Refusal::unsupported("authorization-identity", message)));
        }
    };
    let found = match &shared.doors.load_full().issuer {
        Some(issuer) => issuer.check(token, super::now().1).await,
        None => Err(Unfit("keys-cannot-be-read")),
    };
    Ok(of_pass(found, login, Proof::OAuth))
}

/// Tells a client whose token is not taken where it gets one, and waits for its last word.
pub(super) async fn refuse(shared: &Shared, channel: &mut Channel) -> Result<(), End> {
    if let Some(issuer) = &shared.doors.load_full().issuer {
        let provider = issuer.provider();
        let told = oauthbearer::invalid_token(&provider.issuer, provider.discovery.as_deref(), &provider.scope);
        answer::authentication_sasl_continue(&mut channel.output, told.as_bytes());
        let body = password_message(channel, LONGEST_TOKEN).await?;
        oauthbearer::ends(&body).map_err(End::Malformed)?;
    }
    Ok(())
}
