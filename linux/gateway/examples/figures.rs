//! Figures of the store and of passwords on this machine: `cargo run --release -p underpass-gateway --example figures [USERS] [FOLDER]`.
//! It takes 100 000 users and a temporary folder unless told otherwise.
use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use underpass_core::PublicKey;
use underpass_gateway::password::{Cost, Password, hash, verify};
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::store::{
    CodeId, Devices as _, Factors as _, LeaseRequest, Leases as _, NewCode, NewDevice, NewSession, Owner, Pool, Rhythm,
    Sessions as _, User, Users as _,
};
use underpass_gateway::{Name, Time};
use zeroize::Zeroizing;

/// How many of each are measured once all users are there.
const SAMPLES: usize = 5000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let users: usize = env::args().nth(1).map_or(Ok(100_000), |number| number.parse())?;
    let own = env::temp_dir().join(format!("underpass-figures-{}", std::process::id()));
    let folder = env::args_os().nth(2).map_or_else(|| own.clone(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(&folder.join("figures.db"), users);
    if folder == own {
        std::fs::remove_dir_all(&own)?;
    }
    outcome
}

fn measure(path: &std::path::Path, count: usize) -> Result<(), Failure> {
    let mut store = Sqlite::open(path, Keep::Traces)?;
    let names =
        (0..count).map(|number| format!("user-{number}@example.org").parse()).collect::<Result<Vec<Name>, _>>()?;
    let known = each("add a user", &names, |name| Ok(store.add_user(Time::now(), name, None)?))?;
    each("add a device", &known, |user| {
        let device = NewDevice { key: key(user), name: "phone".parse()? };
        Ok(store.add_device(Time::now(), Owner::User(user.id), &device)?)
    })?;
    let codes = each("add a one-time code", &known, |user| {
        let secret = Zeroizing::new(vec![7; 20]);
        let code = NewCode { rhythm: Rhythm::Time { period: 30 }, algorithm: 1, digits: 6, secret };
        Ok(store.add_code(Time::now(), user.id, &code)?)
    })?;
    let begun = Instant::now();
    drop(store);
    let mut store = Sqlite::open(path, Keep::Traces)?;
    println!("{:<28} {:>9.1} ms", "close, open and look over", millis(begun.elapsed()));
    println!("{:<28} {:>9.1} MB", "size", std::fs::metadata(path)?.len() as f64 / 1e6);
    let step = count.div_ceil(SAMPLES).max(1);
    let (some, some_codes): (Vec<&User>, Vec<&CodeId>) = known.iter().zip(&codes).step_by(step).unzip();
    each("find a user by name", &some, |user| Ok(store.user(&user.name)?))?;
    each("accept a code", &some_codes, |code| Ok(store.accept_step(**code, 1)?))?;
    let (gateway, until) = ("gw".parse()?, Time::now().after(Duration::from_secs(3600)));
    each("open a session", &some, |user| {
        let device = key(user);
        let session = NewSession { device: &device, user: user.id, gateway: &gateway, until };
        Ok(store.open_session(Time::now(), &session)?)
    })?;
    let pool = Pool { name: "office".parse()?, first: "10.0.0.1".parse()?, last: "10.255.255.254".parse()? };
    each("give a lease", &some, |user| {
        let device = key(user);
        let request = LeaseRequest { pool: &pool, device: &device, wanted: None, until, rest: Duration::from_secs(10) };
        Ok(store.lease(Time::now(), &request)?)
    })?;
    let begun = Instant::now();
    let listed = store.users(None, u32::try_from(count)?)?.len();
    println!("{:<28} {:>9.1} ms", format!("list {listed} users"), millis(begun.elapsed()));
    passwords()
}

fn passwords() -> Result<(), Failure> {
    let password = Password::new("correct horse battery staple")?;
    let phc = hash(&password, Cost::default())?;
    each("verify a password", &[(); 40], |()| Ok(verify(&password, Some(&phc), Cost::default())?))?;
    each("verify nobody's password", &[(); 40], |()| Ok(verify(&password, None, Cost::default())?))?;
    Ok(())
}

/// Does something for each, and prints how many a second and how long they took.
fn each<T, R>(what: &str, all: &[T], mut work: impl FnMut(&T) -> Result<R, Failure>) -> Result<Vec<R>, Failure> {
    let begun = Instant::now();
    let (mut took, mut results) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for one in all {
        let one_begun = Instant::now();
        results.push(work(one)?);
        took.push(one_begun.elapsed());
    }
    let per_second = all.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().map_or(0.0, millis);
    println!("{what:<28} {per_second:>9.0} a second, p50 {:.3} ms, p99 {:.3} ms", at(50), at(99));
    Ok(results)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn key(user: &User) -> PublicKey {
    let mut bytes = [9; 32];
    bytes[..8].copy_from_slice(&user.id.0.to_be_bytes());
    PublicKey::from_bytes(bytes)
}
