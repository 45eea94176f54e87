//! An admin who hangs up while a change is made: it takes effect, and so it is recorded.

use std::fs::File;

use axum::body::Bytes;
use axum::http::Method;
use h2::{Ping, Reason};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{audited, decisions, folder};
use crate::connections::address;
use crate::harness::{Patience, Who, tool};
use crate::socket::start;

const ROOT: Who = Who { user: "root", scopes: "" };

#[tokio::test]
async fn a_change_whose_stream_is_reset_is_recorded_all_the_same() {
    let server = audited(vec![tool("m://mail.send", "Sends a mail.")], "admins = [\"user:root\"]\n", |_| {});
    // As another server over the same home would hold changes up.
    let grants = server.home.path().join("grants");
    std::fs::create_dir_all(&grants).expect("a folder");
    let held = File::create(grants.join("LOCK")).expect("a file");
    held.lock().expect("nobody has it");

    let running = start(server.state.clone()).await;
    let stream = TcpStream::connect(address(&running)).await.expect("a connection");
    let (mut client, mut connection) = h2::client::handshake(stream).await.expect("a handshake");
    let mut pings = connection.ping_pong().expect("nobody has taken it");
    tokio::spawn(connection);
    let rule = json!({ "effect": "allow", "to": ["user:alice"], "namespaces": ["mail"] });
    let request = ROOT.request(Method::POST, "http://here/v1/admin/policy/rules");
    let request = request.header("content-type", "application/json").body(()).expect("a request");
    let (answer, mut body) = client.send_request(request, false).expect("it may");
    body.send_data(Bytes::from(rule.to_string()), true).expect("it is open");
    // With the second, the server has read whatever was sent with the first.
    for _ in 0..2 {
        pings.ping(Ping::opaque()).await.expect("the connection is alive");
    }
    body.send_reset(Reason::CANCEL);
    drop(answer);
    pings.ping(Ping::opaque()).await.expect("the connection is alive");
    assert!(decisions(&folder(&server)).is_empty(), "it waits");
    drop(held);

    let patience = Patience::new();
    let record = loop {
        if let Some(record) = decisions(&folder(&server)).pop() {
            break record;
        }
        patience.check();
        tokio::task::yield_now().await;
    };
    let told = (&record["door"], &record["user"], &record["code"], &record["asked"]["rule"]["to"]);
    assert_eq!(told, (&json!("admin/policy/rules"), &json!("root"), &json!("ok"), &json!(["user:alice"])));
    let names = std::fs::read_dir(&grants).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().ends_with(".json")).count(), 1, "it is in force: {record}");
    assert_ne!(record["returned"], Value::Null);
}
