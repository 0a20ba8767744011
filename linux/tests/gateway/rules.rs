//! What a user reaches: the office, not its database, and nothing any more once the group is left.
use crate::scene::{ALICE, OFFICE, PASSWORD, PATIENCE, QUICKLY, Scene};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use underpass_linux::demo::stage::eventually;

const DATABASE: u16 = 5432;

/// The database is for nobody, and the rest of the office for the staff.
fn add_rules(scene: &Scene) -> Result<()> {
    let text = fs::read_to_string(scene.config())?;
    let (head, office) = text.split_once("[[rule]]\nname = \"office\"\n").context("the rule of the scene")?;
    let database = "[[rule]]\nname = \"database\"\naction = \"deny\"\nreject = true\nlog = true\nto = [\"10.1.0.0/16\"]\n\
                    protocol = \"tcp\"\nports = [\"5432\"]\n";
    let staff = "[[rule]]\nname = \"office\"\ngroups = [\"staff\"]\n";
    Ok(fs::write(scene.config(), [head, database, staff, office].concat())?)
}

#[test]
fn the_office_is_reached_and_its_database_is_not_and_that_is_on_record() -> Result<()> {
    let scene = Scene::new()?;
    add_rules(&scene)?;
    scene.underpass(&["gateway", "check"])?;
    scene.underpass(&["group", "add", "staff"])?;
    scene.underpass(&["group", "join", ALICE, "staff"])?;
    let _gateway = scene.run_gateway()?;
    let mut phone = scene.phone()?;
    phone.log_in(ALICE, PASSWORD, &scene.code(0)?)?;
    phone.take_address()?;
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached");

    let database = SocketAddr::from((OFFICE.1, DATABASE));
    let _listens = scene.office.inside(|| TcpListener::bind(database))?;
    let refused = scene.outside.inside(|| TcpStream::connect_timeout(&database, PATIENCE));
    let kind = refused.err().context("the database is closed")?.kind();
    ensure!(kind == ErrorKind::ConnectionRefused, "a reject is heard of at once, and this is {kind}");
    let explained = |what| scene.underpass(&["rules", "explain", ALICE, "10.1.0.9", what]);
    let (closed, open) = (explained("5432/tcp")?, explained("443/tcp")?);
    ensure!(closed.contains("reject, by the rule database"), "{closed}");
    ensure!(open.contains("allow, by the rule office"), "{open}");
    eventually("the denial is on record", PATIENCE, || {
        let log = scene.underpass(&["audit", "show", "--event", "access.denied"])?;
        Ok(log.contains("rule=database") && log.contains("port=5432") && log.contains(ALICE))
    })?;

    scene.underpass(&["group", "leave", ALICE, "staff"])?;
    eventually(
        "whoever leaves the group reaches the office no more",
        PATIENCE,
        || Ok(!scene.reaches_office(QUICKLY)?),
    )?;
    ensure!(scene.status()?["sessions"] == 1, "the session goes on");
    scene.underpass(&["group", "join", ALICE, "staff"])?;
    ensure!(scene.reaches_office(PATIENCE)?, "and the office is reached again without a login");
    Ok(())
}
