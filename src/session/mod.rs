//! One conversation: an explicit state machine over the simple, extended and copy protocols.
