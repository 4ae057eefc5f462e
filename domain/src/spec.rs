//! Given these events, when this command, then these events (or this rejection).

use crate::Decider;

/// A state built from events.
pub(crate) struct Given<D>(D);

/// What a decision answered.
pub(crate) struct When<D: Decider>(Result<Vec<D::Event>, D::Rejection>);

/// Starts from a stream with these events.
pub(crate) fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
    let mut state = D::default();
    for event in events {
        state.evolve(event);
    }
    Given(state)
}

impl<D: Decider> Given<D> {
    /// Asks for a decision.
    pub(crate) fn when(self, command: D::Command) -> When<D> {
        When(self.0.decide(command))
    }
}

impl<D: Decider> When<D> {
    /// Expects exactly these events.
    pub(crate) fn then(self, events: &[D::Event]) {
        assert_eq!(self.0.as_deref(), Ok(events));
    }

    /// Expects this refusal.
    pub(crate) fn rejected(self, rejection: &D::Rejection) {
        assert_eq!(self.0.as_deref(), Err(rejection));
    }
}
