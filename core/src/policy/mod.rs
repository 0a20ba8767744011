//! Who may use a gateway, for how long, and with which addresses. Feature `policy`.
//!
//! Four rooms without I/O, which a gateway puts together:
//!
//! | room | what it knows |
//! |---|---|
//! | [`code`] | one-time codes (RFC 4226, RFC 6238) and recovery codes |
//! | [`attempts`] | how often somebody may be wrong |
//! | [`session`] | logins and sessions: uses both of the above |
//! | [`lease`] | pools of addresses, and who has which |
//!
//! [`Sessions`] stands between the control channel of the clients, the store, and the tunnel:
//!
//! ```
//! use underpass_core::policy::lease::{Holder, Leases, Wish};
//! use underpass_core::policy::session::{
//!     Access, Answer, Credential, Fact, Output, Push, Reply, Request, RequestId, RulesId, Sessions,
//! };
//! use underpass_core::{Instant, PublicKey};
//!
//! /// What a gateway does with what the sessions want.
//! trait Gateway {
//!     /// Hands a request to a worker: a thread with the store, the directory, or password hashes.
//!     fn work(&mut self, id: RequestId, request: Request);
//!     /// Tells the tunnel and the filter what of a peer's packets may pass.
//!     fn set_access(&mut self, peer: PublicKey, access: Access);
//!     /// Wipes the keypairs of a peer and flushes its flows.
//!     fn end_sessions(&mut self, peer: PublicKey);
//!     /// Answers the client's latest request in the control channel.
//!     fn answer(&mut self, peer: PublicKey, answer: Answer);
//!     /// Tells the client if he observes his session.
//!     fn push(&mut self, peer: PublicKey, push: Push);
//!     /// Writes the audit log. `FactEvent::Ended` also ends the session in the store, and its leases.
//!     fn note(&mut self, fact: Fact);
//!     /// When an authentic packet of a peer came last.
//!     fn heard(&self, peer: &PublicKey) -> Option<Instant>;
//! }
//!
//! /// A client sent its password: `POST /v1/auth`.
//! fn client_began(sessions: &mut Sessions, now: Instant, peer: PublicKey, name: &str, password: &str) {
//!     let known = sessions.start(now, &peer, name, Credential::Password(password));
//!     debug_assert!(known.is_ok(), "the peers of the tunnel are those of the sessions");
//! }
//!
//! /// A worker is done.
//! fn worker_done(sessions: &mut Sessions, now: Instant, id: RequestId, reply: Reply) {
//!     if let Err(stale) = sessions.complete(now, id, reply) {
//!         // The login has ended meanwhile. A session that was opened for it is closed again in the store.
//!         drop(stale);
//!     }
//! }
//!
//! /// After each of these, and after `handle_timeout`. Returns when `handle_timeout` is due.
//! fn drain(sessions: &mut Sessions, gateway: &mut impl Gateway) -> Option<Instant> {
//!     while let Some((id, request)) = sessions.poll_request() {
//!         gateway.work(id, request);
//!     }
//!     while let Some(output) = sessions.poll_output() {
//!         match output {
//!             Output::Access { peer, access, end_sessions } => {
//!                 gateway.set_access(peer, access);
//!                 if end_sessions {
//!                     gateway.end_sessions(peer);
//!                 }
//!             }
//!             Output::Answer { peer, answer } => gateway.answer(peer, answer),
//!             Output::Push { peer, push } => gateway.push(peer, push),
//!         }
//!     }
//!     while let Some(fact) = sessions.poll_fact() {
//!         gateway.note(fact);
//!     }
//!     sessions.poll_timeout()
//! }
//!
//! /// A deadline has come.
//! fn timeout(sessions: &mut Sessions, leases: &mut Leases, gateway: &mut impl Gateway, now: Instant) {
//!     sessions.handle_timeout(now, &|peer| gateway.heard(peer));
//!     while let Some((_holder, _address)) = leases.expire(now) {
//!         // Taken out of the tunnel, and marked in the store.
//!     }
//! }
//!
//! /// A client that is in asks for addresses: `POST /v1/lease`.
//! fn wants_addresses(sessions: &Sessions, leases: &mut Leases, now: Instant, peer: PublicKey) {
//!     let Some(view) = sessions.view(&peer).filter(|view| view.access != Access::Locked) else { return };
//!     let leased = leases.lease(now, Holder { user: view.user, device: peer }, Wish::Any, Wish::Any);
//!     if let Ok(Some(_address)) = leased.ip4 {
//!         // Stored, put into the tunnel, then told, with `t1`, `t2` and `valid`.
//!     }
//! }
//! ```
//!
//! [`Sessions`]: session::Sessions
pub mod attempts;
pub mod code;
pub mod lease;
pub mod session;

#[cfg(test)]
mod tests;
