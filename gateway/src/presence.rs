//! Who is there: notices when no session of a key is heard for as long as its policy says, and tells
//! whoever sequences, who logs it as a silence.
//!
//! A client is heard when a packet of his arrives, be it a mere acknowledgement or a keep-alive, so a
//! process that is killed, stopped or cut off is as silent as one that closed its session. Packets are
//! looked for a few times within each silence; so what is told comes late by no more than
//! [`LOOK_EVERY_MAX`], and never early.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use rtrb::Producer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use types::{AccountId, KeyId, SessionId};

use crate::ports::Wake;
use crate::serve::Shared;

/// The keys whose silence matters.
#[derive(Debug)]
pub(crate) struct Presence {
    watched: HashMap<KeyId, Watched>,
    /// When to look again, and for whom.
    looks: BTreeSet<(Instant, KeyId)>,
    silences: Producer<KeyId>,
    wake_sequencer: Wake,
    /// Somebody is to be looked for who was not before.
    changed: Rc<Notify>,
}

#[derive(Debug)]
struct Watched {
    account: AccountId,
    silence: Duration,
    /// When a packet was last seen to have arrived, at the latest.
    heard: Instant,
    /// Packets that had arrived by then, by session.
    packets: HashMap<SessionId, u64>,
    /// Whether the silence that goes on was told.
    is_told: bool,
    next_look: Instant,
}

/// The longest time between two looks.
const LOOK_EVERY_MAX: Duration = Duration::from_millis(20);
/// Looks within one silence, if it is short.
const LOOKS: u32 = 16;

impl Presence {
    /// Begins with the policies of keys that have one. All of them are taken to be heard now, so who was
    /// there before a restart has as much time to come back as his policy says.
    pub(crate) fn new(
        policies: impl IntoIterator<Item = (KeyId, AccountId, Duration)>,
        silences: Producer<KeyId>,
        wake_sequencer: Wake,
    ) -> Self {
        let mut presence = Self {
            watched: HashMap::new(),
            looks: BTreeSet::new(),
            silences,
            wake_sequencer,
            changed: Rc::new(Notify::new()),
        };
        for (key, account, silence) in policies {
            presence.set(key, account, silence);
        }
        presence
    }

    /// From here on this is how long a key may be silent; zero: for ever.
    pub(crate) fn set(&mut self, key: KeyId, account: AccountId, silence: Duration) {
        self.remove(key);
        if silence.is_zero() {
            return;
        }
        let now = Instant::now();
        let watched = Watched {
            account,
            silence,
            heard: now,
            packets: HashMap::new(),
            is_told: false,
            next_look: now,
        };
        self.looks.insert((now, key));
        self.watched.insert(key, watched);
        self.changed.notify_one();
    }

    /// Nobody cares for this key's silence any more.
    pub(crate) fn remove(&mut self, key: KeyId) {
        if let Some(watched) = self.watched.remove(&key) {
            self.looks.remove(&(watched.next_look, key));
        }
    }

    /// Looks for everybody who is due. `arrived` says how many packets have arrived in each session
    /// of a key.
    fn look(
        &mut self,
        now: Instant,
        mut arrived: impl FnMut(AccountId, KeyId, &mut dyn FnMut(SessionId, u64)),
    ) {
        let mut tells = false;
        while let Some(&(due, key)) = self.looks.first()
            && due <= now
        {
            self.looks.pop_first();
            let watched = self
                .watched
                .get_mut(&key)
                .expect("looks are for the watched");
            let mut packets = HashMap::new();
            let mut is_heard = false;
            arrived(watched.account, key, &mut |session, count| {
                is_heard |= watched.packets.get(&session) != Some(&count);
                packets.insert(session, count);
            });
            watched.packets = packets;
            if is_heard {
                watched.heard = now;
                watched.is_told = false;
            } else if !watched.is_told && watched.silence <= now - watched.heard {
                // Without room it is told at the next look.
                watched.is_told = self.silences.push(key).is_ok();
                tells = true;
            }
            watched.next_look = now + (watched.silence / LOOKS).min(LOOK_EVERY_MAX);
            self.looks.insert((watched.next_look, key));
        }
        if tells {
            self.wake_sequencer.wake();
        }
    }

    fn next_look(&self) -> Option<Instant> {
        self.looks.first().map(|(due, _)| *due)
    }
}

/// Looks until the gateway is closed.
pub(crate) async fn watch(shared: Rc<Shared>) {
    let changed = Rc::clone(&shared.presence.borrow().changed);
    loop {
        let next = shared.presence.borrow().next_look();
        match next {
            Some(due) => tokio::select! {
                () = sleep_until(due) => {}
                () = changed.notified() => {}
            },
            None => changed.notified().await,
        }
        let table = shared.table.borrow();
        let mut presence = shared.presence.borrow_mut();
        presence.look(Instant::now(), |account, key, each| {
            for session in table.of_account(account) {
                if session.record.key == key {
                    let packets = session.connection.stats().udp_rx.datagrams;
                    each(session.id, packets);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use rtrb::{Consumer, RingBuffer};

    use super::*;

    const KEY: KeyId = KeyId::new(5);
    const ACCOUNT: AccountId = AccountId::new(3);
    const SILENCE: Duration = Duration::from_millis(500);

    /// Packets per session at a moment in milliseconds, and whether a silence is told then.
    type Step = (u64, &'static [(u64, u64)], bool);

    fn check(capacity: usize, steps: &[Step]) {
        let (silences, mut told): (_, Consumer<KeyId>) = RingBuffer::new(capacity);
        let mut presence = Presence::new([(KEY, ACCOUNT, SILENCE)], silences, Wake::new(|| {}));
        let start = Instant::now();
        for (at, sessions, expected) in steps {
            let now = start + Duration::from_millis(*at);
            presence.look(now, |account, key, each| {
                assert_eq!((account, key), (ACCOUNT, KEY));
                for (session, packets) in *sessions {
                    each(SessionId::new(*session), *packets);
                }
            });
            assert_eq!(told.pop().ok(), expected.then_some(KEY), "at {at} ms");
        }
    }

    #[test]
    fn a_silence_is_told_once_and_never_early() {
        check(
            1,
            &[
                (10, &[(1, 7)], false),
                (300, &[(1, 8)], false),
                (790, &[(1, 8)], false),
                (811, &[(1, 8)], true),
                (1_400, &[(1, 8)], false),
                // He is back, and gone again.
                (1_420, &[(1, 9)], false),
                (1_919, &[], false),
                (1_940, &[], true),
            ],
        );
    }

    #[test]
    fn any_session_of_the_key_will_do() {
        check(
            1,
            &[
                (10, &[(1, 1), (2, 1)], false),
                (400, &[(1, 1), (2, 2)], false),
                (800, &[(2, 3)], false),
                // Another one, with as many packets.
                (1_200, &[(3, 3)], false),
                (1_690, &[(3, 3)], false),
                (1_711, &[(3, 3)], true),
            ],
        );
    }

    #[test]
    fn who_never_comes_back_is_silent_from_the_start() {
        check(1, &[(480, &[], false), (501, &[], true), (900, &[], false)]);
    }

    #[test]
    fn without_room_a_silence_is_told_later() {
        let (silences, mut told): (_, Consumer<KeyId>) = RingBuffer::new(1);
        let others = KeyId::new(6);
        let policies = [(KEY, ACCOUNT, SILENCE), (others, ACCOUNT, SILENCE)];
        let mut presence = Presence::new(policies, silences, Wake::new(|| {}));
        let start = Instant::now();
        let mut all = Vec::new();
        for at in [600, 700, 800, 900] {
            presence.look(start + Duration::from_millis(at), |_, _, _| {});
            all.extend(told.pop());
        }
        all.sort_unstable();
        assert_eq!(all, [KEY, others]);
    }

    #[test]
    fn a_policy_that_is_gone_is_not_watched() {
        let (silences, mut told): (_, Consumer<KeyId>) = RingBuffer::new(1);
        let mut presence = Presence::new([(KEY, ACCOUNT, SILENCE)], silences, Wake::new(|| {}));
        presence.set(KEY, ACCOUNT, Duration::ZERO);
        let later = Instant::now() + Duration::from_secs(9);
        presence.look(later, |_, _, _| panic!("nobody is watched"));
        assert_eq!((told.pop().ok(), presence.next_look()), (None, None));
    }
}
