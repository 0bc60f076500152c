//! The audit's lines of one session.

use super::Session;
use super::expect::Run;
use super::judging::Text;
use crate::audit::{Audit, Common, Decision, Event, Outcome, StatementText};
use crate::net::Fields;
use crate::refusal::Refusal;
use std::sync::Arc;
use std::time::Instant;

/// The code of a statement of which nobody waited for the end.
const BROKEN_OFF: &str = "broken-off";

impl Session<'_> {
    /// The time, where a record is kept of how long statements take.
    pub(super) fn clock(&self) -> Option<Instant> {
        self.shared.audit.is_on().then(Instant::now)
    }

    /// A text that was refused.
    pub(super) fn record_refusal(&self, text: &str, refusal: &Refusal, started: Option<Instant>) {
        if !self.shared.audit.is_on() {
            return;
        }
        let common = Common::default();
        let shown = common.show(text, self.shared.audit.config().literals);
        let outcome = outcome(Some(refusal.sqlstate.code()), 0, started);
        self.record(Decision::Refused, refusal.code, Some(&shown), None, None, outcome);
    }

    /// A statement that has ended by itself.
    pub(super) fn record_end(&self, run: &Run) {
        self.record_run(run, "", None);
    }

    /// A statement that the database ended by an error; `code` where that was a refusal.
    pub(super) fn record_error(&self, run: &Run, code: Option<&str>, fields: &Fields) {
        self.record_run(run, code.unwrap_or(""), Some(fields.sqlstate()));
    }

    /// A constraint has told somebody that a key exists, or does not: too often means that they are asking.
    pub(super) fn note_violation(&self, sqlstate: &str) {
        if !matches!(sqlstate, "23505" | "23503") {
            return;
        }
        let Some(violations) = self.shared.violations.add(&self.state.login, Instant::now()) else {
            return;
        };
        tracing::warn!(login = %self.state.login, "many constraint violations of one person");
        self.shared.audit.record(&Event {
            time: Audit::now(),
            event: "repeated-violations",
            person: &self.person,
            generation: self.state.world.generation,
            decision: Decision::Allowed,
            code: "repeated-violations",
            text: None,
            reads: Vec::new(),
            parameters: None,
            outcome: None,
            violations: Some(violations),
        });
    }

    /// A statement whose result was cut off.
    pub(super) fn record_cut(&self, run: &Run, refusal: &Refusal) {
        self.record_run(run, refusal.code, Some(refusal.sqlstate.code()));
    }

    /// A Parse that the database refused: nothing was executed, but the attempt is seen.
    pub(super) fn record_failed_parse(&self, text: &Arc<Text>, sqlstate: &str) {
        if !self.shared.audit.is_on() {
            return;
        }
        let shown = text.for_audit(self.shared.audit.config().literals);
        let decision = if text.bypass {
            Decision::Bypassed
        } else {
            Decision::Allowed
        };
        self.record(
            decision,
            "",
            Some(&shown),
            Some((text, 0)),
            None,
            outcome(Some(sqlstate), 0, None),
        );
    }

    /// The session ends before the database has said how these ended: they may have been done, or a part of them.
    pub(super) fn record_broken_off(&mut self) {
        for mut run in self.queue.unrecorded() {
            self.record_run(&run, BROKEN_OFF, None);
            let (rest, all) = (run.statement + 1, run.text.judgement.statements.len());
            for statement in rest..all {
                (run.statement, run.rows) = (statement, 0);
                self.record_run(&run, BROKEN_OFF, None);
            }
        }
    }

    fn record_run(&self, run: &Run, code: &str, sqlstate: Option<&str>) {
        if !self.shared.audit.is_on() {
            return;
        }
        let decision = match (code, run.text.bypass) {
            ("" | BROKEN_OFF, true) => Decision::Bypassed,
            ("" | BROKEN_OFF, false) => Decision::Allowed,
            _ => Decision::Refused,
        };
        let shown = run.text.for_audit(self.shared.audit.config().literals);
        let parameters = run.parameters.as_deref().map(Vec::as_slice);
        let (source, statement) = run.source();
        self.record(
            decision,
            code,
            Some(&shown),
            Some((source, statement)),
            parameters,
            outcome(sqlstate, run.rows, run.started),
        );
    }

    fn record(
        &self,
        decision: Decision,
        code: &str,
        shown: Option<&StatementText<'_>>,
        statement: Option<(&Text, usize)>,
        parameters: Option<&[Option<String>]>,
        outcome: Outcome,
    ) {
        let reads = statement
            .and_then(|(text, index)| text.statement(index))
            .map(|s| s.reads.as_slice());
        self.shared.audit.record(&Event {
            time: Audit::now(),
            event: "statement",
            person: &self.person,
            generation: self.state.world.generation,
            decision,
            code,
            text: shown,
            reads: reads.unwrap_or_default().iter().map(Into::into).collect(),
            parameters,
            outcome: Some(outcome),
            violations: None,
        });
    }
}

fn outcome(sqlstate: Option<&str>, rows: u64, started: Option<Instant>) -> Outcome {
    Outcome {
        sqlstate: sqlstate.map(str::to_owned),
        rows,
        duration_ms: started.map_or(0.0, |started| started.elapsed().as_secs_f64() * 1_000.0),
    }
}
