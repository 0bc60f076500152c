//! What a password must be that rowgate stores.

use chrono::{Days, NaiveDate};

/// `[passwords]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// `shortest`: in characters; 12 unless told.
    pub shortest: usize,
    /// `strength`: from 0 (any) to 4, by an estimate of the guesses that it takes, common passwords first; 3 unless told.
    pub strength: u8,
    /// `history`: how many former passwords may not come again; 5 unless told.
    pub history: usize,
    /// `days`: after how many days a password has to be changed; 0 is never, unless told.
    pub days: u64,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            shortest: 12,
            strength: 3,
            history: 5,
            days: 0,
        }
    }
}

impl PasswordRules {
    /// What is wrong with a password, or nothing. `is_former` tells whether it was one of theirs before.
    pub fn check(&self, login: &str, password: &str, is_former: impl FnOnce() -> bool) -> Result<(), String> {
        if password.chars().count() < self.shortest {
            return Err(format!("the password must have at least {} characters", self.shortest));
        }
        let estimate = zxcvbn::zxcvbn(password, &[login, "rowgate"]);
        if u8::from(estimate.score()) < self.strength {
            let advice = estimate.feedback().and_then(|f| f.warning()).map(|w| w.to_string());
            let advice = advice.unwrap_or_else(|| "Use a few uncommon words.".to_owned());
            return Err(format!("the password is too easy to guess: {advice}"));
        }
        if is_former() {
            return Err("the password was used before".to_owned());
        }
        Ok(())
    }

    /// Has a password that was set on this day to be changed? One of which nobody knows counts as old.
    pub fn is_over(&self, changed: Option<NaiveDate>, today: NaiveDate) -> bool {
        let ends = changed.and_then(|day| day.checked_add_days(Days::new(self.days)));
        self.days > 0 && ends.is_none_or(|ends| ends <= today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let rules = PasswordRules::default();
        let said = |password: &str, former| rules.check("alice", password, || former).err().unwrap_or_default();
        assert_eq!(said("Xk3$9pw!", false), "the password must have at least 12 characters");
        for easy in ["password1234", "qwertyuiop12", "alicealice12", "aaaaaaaaaaaaaaa"] {
            assert!(
                said(easy, false).starts_with("the password is too easy to guess"),
                "{easy}"
            );
        }
        assert_eq!(said("tarn violet gasket moor", false), "");
        assert_eq!(said("tarn violet gasket moor", true), "the password was used before");
    }

    #[test]
    fn age() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d);
        let rules = PasswordRules {
            days: 10,
            ..PasswordRules::default()
        };
        assert!(!rules.is_over(day(1), day(10).unwrap()));
        assert!(rules.is_over(day(1), day(11).unwrap()));
        assert!(rules.is_over(None, day(1).unwrap()));
        assert!(!PasswordRules::default().is_over(None, day(1).unwrap()));
    }
}
