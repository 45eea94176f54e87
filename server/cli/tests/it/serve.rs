//! The real server process, asked over a real socket.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::program::{Program, tool};

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How long anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    pub child: Child,
    pub base: String,
    pub client: Client,
    /// What it logged.
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start(program: &Program) -> Self {
        Self::start_with(program, &[], &[])
    }

    /// With more arguments, and more variables in its environment.
    pub fn start_with(program: &Program, more: &[&str], variables: &[(String, String)]) -> Self {
        let secret = program.write("secret", SECRET);
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--json", "--secret-file", secret.to_str().expect("UTF-8")];
        let mut command = program.command(&[&arguments, more].concat());
        let mut child = command.envs(variables.iter().cloned()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let keep = |line: &String| log.lock().expect("no panic").push_str(&(line.clone() + "\n"));
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .inspect(keep)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find_map(|event| event["fields"]["address"].as_str().map(str::to_owned))
            .expect("it says where it listens");
        // Whoever stops reading would stop the server at its next line.
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().expect("no panic").push_str(&(line + "\n")));
        });
        // The clients of this process share a TLS library that wants a provider, though loopback has no TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { child, base: format!("http://{address}"), client, log }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Tells it to stop, and waits for its end, which must be a good one.
    #[cfg(unix)]
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        eventually("the end", || self.child.try_wait().expect("it is ours").is_some());
        assert!(self.child.wait().expect("it ended").success());
    }

    pub fn is_ready(&self) -> bool {
        self.client.get(format!("{}/readyz", self.base)).send().is_ok_and(|answer| answer.status().is_success())
    }

    pub fn post(&self, door: &str, user: &str, body: &Value) -> Response {
        let request = self.client.post(format!("{}/v1/{door}", self.base)).json(body);
        let request = request.header("x-shortlist-user", user).header("x-shortlist-secret", SECRET);
        request.send().expect("an answer")
    }

    pub fn search(&self, user: &str, query: &str) -> Vec<String> {
        let answer: Value = self.post("search_tools", user, &json!({ "query": query })).json().expect("JSON");
        let hits = answer["hits"].as_array().expect("an answer with hits");
        hits.iter().filter_map(|hit| hit["ref"].as_str().map(str::to_owned)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn policy(program: &Program, rules: &[(&str, &str)]) {
    let rule = |(user, namespace): &(&str, &str)| {
        format!("[[rule]]\neffect = \"allow\"\nto = [\"user:{user}\"]\nnamespaces = [\"{namespace}\"]\n")
    };
    let text: String = rules.iter().map(rule).collect();
    std::fs::write(program.home().join("policy.toml"), text).expect("it is written");
}

#[test]
fn two_users_see_their_own_tools_and_changes_are_taken_over_without_a_restart() {
    let program = Program::new();
    let mut tools = vec![
        tool("github", "create_issue", "Creates an issue in a repository."),
        tool("jira", "create_issue", "Creates an issue in an Atlassian project."),
    ];
    program.sync(&tools);
    policy(&program, &[("alice", "github"), ("bob", "jira")]);
    let server = Server::start(&program);

    assert_eq!(server.search("alice", "create an issue"), ["test://github.create_issue"]);
    assert_eq!(server.search("bob", "create an issue"), ["test://jira.create_issue"]);
    assert!(server.search("eve", "create an issue").is_empty());

    // Hidden and missing: the same status, headers and body.
    let details = |reference: &str| {
        let url = format!("{}/v1/tools/{}", server.base, reference.replace('/', "%2F"));
        let request = server.client.get(url).header("x-shortlist-user", "alice").header("x-shortlist-secret", SECRET);
        let response = request.header("x-request-id", "same").send().expect("an answer");
        let headers = response.headers().iter().filter(|(name, _)| *name != "date");
        let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        (response.status().as_u16(), headers, response.text().expect("a body"))
    };
    let hidden = details("test://jira.create_issue");
    assert_eq!(hidden.0, 404);
    assert_eq!(hidden, details("test://jira.delete_issue"));

    // Bad input is answered, and the server lives.
    assert_eq!(server.post("search_tools", "alice", &json!({ "query": "x", "colour": 1 })).status().as_u16(), 400);
    let raw = server.client.post(format!("{}/v1/search_tools", server.base)).header("x-shortlist-user", "alice");
    let raw = raw.header("x-shortlist-secret", SECRET).header("content-type", "application/json").body("{");
    assert_eq!(raw.send().expect("an answer").status().as_u16(), 400);
    assert_eq!(server.client.get(format!("{}/readyz", server.base)).send().expect("an answer").status().as_u16(), 200);

    // A grant, then a tool, added while it runs.
    policy(&program, &[("alice", "github"), ("bob", "jira"), ("eve", "jira")]);
    eventually("the new grant", || server.search("eve", "create an issue") == ["test://jira.create_issue"]);
    tools.push(tool("github", "fork_repository", "Forks a repository."));
    program.sync(&tools);
    eventually("the new tool", || server.search("alice", "fork")[0] == "test://github.fork_repository");
    policy(&program, &[("bob", "jira")]);
    eventually("the revocation", || server.search("alice", "create an issue").is_empty());
}

#[test]
fn what_nobodys_rate_counts_does_not_fill_the_log() {
    let program = Program::new();
    program.sync(&[tool("files", "list", "Lists files.")]);
    policy(&program, &[("alice", "files")]);
    let server = Server::start(&program);
    for path in ["/livez", "/v1/openapi.json"] {
        let (url, client) = (format!("{}{path}", server.base), &server.client);
        assert_eq!(client.get(&url).send().expect("an answer").status().as_u16(), 200, "{path}");
        assert_eq!(client.post(&url).send().expect("an answer").status().as_u16(), 405, "{path}");
    }
    assert_eq!(server.search("alice", "files").len(), 1);
    let answered = |route: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains("request answered") && line.contains(route)).count()
    };
    eventually("the line of the search", || answered("/v1/search_tools") == 1);
    assert_eq!((answered("/livez"), answered("/v1/openapi.json")), (0, 0), "{}", server.log());
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_ends_cleanly() {
    let program = Program::new();
    program.sync(&[tool("files", "list", "Lists files.")]);
    policy(&program, &[("alice", "files")]);
    let mut server = Server::start(&program);
    assert_eq!(server.search("alice", "files").len(), 1);
    server.stop();
}
