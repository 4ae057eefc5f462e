//! What requests look like attacks: the address and the headers of a request, never a body, and never
//! what a member searches for. Nothing is refused for it alone; points add up to a block.
//!
//! Every parameter is bound and every output encoded: this is a sensor, no wall. So it looks for what
//! nobody types by accident, and leaves the rest alone.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::header::{REFERER, USER_AGENT};
use axum::http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use regex::RegexSet;

/// Points of a request that is surely an attack.
const SURE: u32 = 10;
/// Points of what only a scanner asks for, or names itself.
const SCANNER: u32 = 5;
/// Points of an attack in what is free text, of who isn't signed in.
const TEXT: u32 = 1;

/// Bytes of a text that are looked at, and parameters of a request: patterns cost by the letter.
const LONGEST: usize = 2_048;
const MOST: usize = 64;

/// Parameters in which people write what they like.
const FREE: [&str; 14] = [
    "q",
    "next",
    "text",
    "name",
    "title",
    "username",
    "description",
    "reason",
    "label",
    "author",
    "uploader",
    "search",
    "message",
    "tag",
];

/// What was found in a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// How much it looks like an attack.
    pub points: u32,
    kinds: BTreeSet<&'static str>,
}

impl Found {
    /// Gives the kinds in words.
    pub fn about(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().copied().collect();
        kinds.join(", ")
    }

    fn add(&mut self, points: u32, kinds: impl IntoIterator<Item = &'static str>) {
        for kind in kinds {
            self.kinds.insert(kind);
            self.points = self.points.max(points);
        }
    }
}

/// Patterns with the kind of attack that each is.
struct Patterns {
    set: RegexSet,
    kinds: Vec<&'static str>,
}

impl Patterns {
    fn new(patterns: &[(&'static str, &str)]) -> Self {
        // A pattern that can't be read would be seen by every test.
        let texts = patterns.iter().map(|(_, text)| format!("(?is){text}"));
        Self {
            set: RegexSet::new(texts).unwrap_or_else(|_| RegexSet::empty()),
            kinds: patterns.iter().map(|(kind, _)| *kind).collect(),
        }
    }

    fn kinds(&self, text: &str) -> Vec<&'static str> {
        let found = self.set.matches(text);
        found
            .into_iter()
            .filter_map(|at| self.kinds.get(at).copied())
            .collect()
    }
}

const SQL: &str = "SQL injection";
const SCRIPT: &str = "script injection";
const TRAVERSAL: &str = "traversal";
const COMMAND: &str = "command injection";
const TEMPLATE: &str = "template injection";
const PROBE: &str = "scanner";

/// What is no text of anybody's, wherever it stands.
static ANYWHERE: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        (
            SQL,
            r#"['"`)]\s*(or|and|\|\||&&|xor|having)\s+(not\s+)?['"(]*(\d+|'[^']*'?|"[^"]*"?|[\w.]+['"])['")]*\s*(=|<|>|like\b|is\b|between\b)"#,
        ),
        (SQL, r#"['"`]\s*(or|and)\s+\w+\s*=\s*\w+\s*(--|#|/\*|;)"#),
        (
            SQL,
            r#"['"`)]\s*(or|and)\s+(true|false|1|0)\s*(--|#|/\*|;|$)"#,
        ),
        (SQL, r"\b\d+\s+(or|and)\s+\(?\d+\s*(=|<|>)\s*\d+"),
        (
            SQL,
            r"\bunion\b[\s/*!()\d]*(all|distinct)?[\s/*!(]*select\b\s*[(/*!]*\s*(null\b|\d|@@|char\(|concat|group_concat|\*|'|\(|0x|[\w.`]+\s*,\s*[\w.`(]+.*\bfrom\b)",
        ),
        (SQL, r#"['"`)]\s*;?\s*(--|#|/\*)\s*[-+]?\s*$"#),
        (
            SQL,
            r#"(['"`)]|\d)\s*;\s*(drop|alter|truncate|create)\s+(table|database|user|schema)\b"#,
        ),
        (
            SQL,
            r#"(['"`)]|\d)\s*;\s*(delete\s+from|insert\s+into|update\s+\w+\s+set|exec(ute)?\b|declare\s+@|shutdown\b|select\s+)"#,
        ),
        (
            SQL,
            r"\b(pg_sleep|benchmark|extractvalue|updatexml|load_file|xp_cmdshell|dbms_pipe\.receive_message|utl_inaddr\.get_host_address|randomblob|sp_executesql|dbms_lock\.sleep)\s*\(",
        ),
        (SQL, r"\bwaitfor\s+delay\s*['(]"),
        (SQL, r"\bexec(ute)?\s+(master\.+)?xp_\w+"),
        (SQL, r"\binto\s+(out|dump)file\s*'"),
        (SQL, r#"['"`)\d]\s*(order|group)\s+by\s+\d+\s*(--|#|/\*)"#),
        (
            SQL,
            r"\bfrom\s+(information_schema\.\w+|sqlite_master|mysql\.user|pg_shadow|sysobjects|all_tables)\b.*(--|#|where\b|limit\b)",
        ),
        (SQL, r#"['"`]\s*\|\|\s*\(?\s*(select|utl_|dbms_|chr\()"#),
        (
            SQL,
            r#"['"`)\d]\s+and\s+\(?\s*(select|ascii|substring|substr|length|if|case\s+when|exists)\b.*[=<>(]"#,
        ),
        (SQL, r"/\*!\d{5}"),
        (SCRIPT, r"<\s*/?\s*script[\s>/]"),
        (
            SCRIPT,
            r#"<\s*[a-z][\w-]*[\s/][^>]*\bon[a-z]{3,20}\s*=\s*['"`]?\s*[\w(\\&`]"#,
        ),
        (
            SCRIPT,
            r"<\s*(iframe|object|embed|applet|base|meta|frameset)\s+[^>]*(src|srcdoc|data|href|code|http-equiv)\s*=",
        ),
        (
            SCRIPT,
            r"(java|vb|live)\s*script\s*:\s*((alert|eval|prompt|confirm|fetch|import|atob|msgbox|window\.)\s*[(`.]?|(document|location|top|self|parent)\s*[.\[=]|//|/\*)[\w(`.\[*'/]?",
        ),
        (SCRIPT, r#"['"]\s*>\s*<\s*[a-z]+[\s/>]"#),
        (
            SCRIPT,
            r#"\b(onerror|onload|onmouseover|onfocus|onclick)\s*=\s*['"`]?\s*(alert|eval|prompt|confirm|fetch|javascript|document|top|self|window|import)\b"#,
        ),
        (SCRIPT, r"\bdocument\s*\.\s*(cookie|write)\s*[(=]?.*[<>'(]"),
        (SCRIPT, r"\bdata\s*:\s*text/html\s*[;,]"),
        (
            SCRIPT,
            r#"['"`]\s*[;+-]\s*(alert|eval|prompt|confirm)\s*[(`]"#,
        ),
        (
            SCRIPT,
            r"<\s*style[^>]*>\s*@import|expression\s*\(\s*(alert|eval)|<\s*(img|image|video|audio|svg|math|body|input|details)\b[^>]*(javascript:|&#)",
        ),
        (
            TRAVERSAL,
            r"\.\.[/\\].*(etc[/\\](passwd|shadow|hosts|group|issue)|win\.ini|boot\.ini|proc[/\\]self|\.ssh|web\.config|system32|wp-config|id_rsa|\.env\b|\.git[/\\]|\.htaccess)",
        ),
        (
            TRAVERSAL,
            r"\b(php|phar|expect|zip|glob)://(filter|input|\w+)",
        ),
        (TEMPLATE, r"\$\{\s*(jndi|\$\{|lower:|upper:|env:|::-)"),
        (
            TEMPLATE,
            r"(\{\{|\$\{|#\{|<%=|\*\{|@\()\s*['(]?\d+\s*['*]+\s*\d+",
        ),
        (
            TEMPLATE,
            r"\{\{.*(__class__|__globals__|config\.|self\._|constructor\.|getruntime|lipsum|cycler).*\}\}",
        ),
        (
            TEMPLATE,
            r"\$\{.*(T\(java|getruntime|@java\.lang|ProcessBuilder)|%\{.*(ognl|@java|memberaccess)",
        ),
        (COMMAND, r"\(\)\s*\{\s*:?;?\s*\}\s*;"),
        (
            COMMAND,
            r"[;|&`]\s*(cat|type|more|head|tail)\s+(/etc/|c:\\|\.\./)",
        ),
        (
            COMMAND,
            r"\$\(\s*(id|whoami|uname|cat|curl|wget|nslookup|ping|sleep)\b[^)]*\)",
        ),
        (
            COMMAND,
            r"<!(doctype|entity)[^>]*\b(system|public)\s*['\x22]|<!--#(exec|include)\b",
        ),
    ])
});

/// What no parameter, path or header of ours ever holds, though people write it.
static TYPED: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        (TRAVERSAL, r"(^|[/\\=])\.\.(;|[/\\]|$)"),
        (TRAVERSAL, r"\x00|%00|%c0%af|%252e|\.\.\x{fffd}"),
        (TRAVERSAL, r"^(file|php|gopher|dict|ldap|netdoc|jar)://"),
        (
            TRAVERSAL,
            r"^([a-z]:)?[/\\]+(etc|proc|windows|winnt|boot|root|var[/\\]log)[/\\]",
        ),
        (
            COMMAND,
            r"(^|[;|&`\n])\s*(cat|ls|id|whoami|uname|wget|curl|nc|bash|sh|ping|nslookup|powershell|cmd(\.exe)?|sleep|netstat|ifconfig|ipconfig|dir|net\s+user)(\s+[-/\w.:]+)*\s*([;|&`\n]|$)",
        ),
        (
            SQL,
            r#"^[-\w]*['"`]+\)*$|['"]\s*(or|and)\b|\bselect\b.+\bfrom\b|\bunion\b.+\bselect\b|\bsleep\s*\(|\bcast\s*\(|\bconvert\s*\("#,
        ),
        (
            SQL,
            r"\b(order|group)\s+by\s+\d|\bhaving\s+\d+\s*=|^-?\d+\s+(and|or)\s",
        ),
        (SCRIPT, r"[<>]\s*[a-z!/]|javascript:"),
    ])
});

/// Addresses that only scanners ask for: nothing like them is here.
static PROBES: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        (
            PROBE,
            r"/\.(env|git|svn|hg|aws|ssh|ds_store|htaccess|htpasswd|vscode|idea|docker|npmrc|bash_history)\b",
        ),
        (
            PROBE,
            r"\.(php\d?|phtml|asp|aspx|ashx|jsp|jspx|cgi|do|action|cfm|pl|dll|ini|bak|swp|sql|sqlite|old|conf|ya?ml|log|pem)(/|$)",
        ),
        (
            PROBE,
            r"^/(wp-|wordpress|phpmyadmin|pma|mysql|adminer|cgi-bin|actuator|solr|jenkins|manager/html|server-(status|info)|boaform|hnap1|owa|autodiscover|ecp|vendor/|telescope|_ignition|druid|geoserver|struts|console/|invoker|jmx-console|web-inf|dana-na|remote/(login|fgt)|sdk/|evox|nmaplowercheck|\.well-known/\.\.|debug/(pprof|default)|_profiler|swagger|v2/_catalog|xmlrpc|administrator/|typo3|magento|drupal|joomla)",
        ),
        (
            PROBE,
            r"^/(backup|dump|db|database|www|site|old)\.(zip|tar|tar\.gz|tgz|rar|7z|gz)$",
        ),
    ])
});

/// Scanners that name themselves.
static TOOLS: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[(
        PROBE,
        r"\b(sqlmap|nikto|nmap|masscan|zgrab|nuclei|acunetix|nessus|openvas|wpscan|dirbuster|dirb|gobuster|ffuf|feroxbuster|w3af|havij|arachni|whatweb|jaeles|burp|zaproxy|owasp|netsparker|qualys|skipfish|wapiti|xsstrike|commix|hydra|webshag|morfeus|zmeu|jorgee)\b",
    )])
});

/// Looks at a request's address and headers; `member` says that it is a member's.
pub fn look(uri: &Uri, headers: &HeaderMap, member: bool) -> Found {
    let mut found = Found::default();
    let path = decoded(clipped(uri.path()));
    found.add(SURE, ANYWHERE.kinds(&path));
    if path.contains("..") || path.contains(['\0', '<', '`', '\'', '"', '%']) {
        found.add(SURE, TYPED.kinds(&path));
    }
    found.add(SCANNER, PROBES.kinds(&path));
    let query = uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    for pair in pairs.take(MOST) {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let value = clipped(value).replace('+', " ");
        value_of(&mut found, clipped(name), &decoded(&value), member);
    }
    let text = |name| {
        let value = headers.get(name)?;
        value.to_str().ok().map(clipped)
    };
    if let Some(agent) = text(USER_AGENT) {
        found.add(SCANNER, TOOLS.kinds(agent));
        found.add(SURE, ANYWHERE.kinds(agent));
    }
    if let Some(referer) = text(REFERER) {
        // A page of ours may be one with a member's search.
        let own = referer.split('?').next().unwrap_or_default();
        found.add(SURE, ANYWHERE.kinds(&decoded(own)));
    }
    found
}

/// Looks at a request of a stranger, as a browser or a program of some name makes it.
pub fn asked(target: &str, agent: &str) -> Found {
    let mut headers = HeaderMap::new();
    if let Ok(agent) = agent.parse() {
        headers.insert(USER_AGENT, agent);
    }
    target
        .parse()
        .map_or_else(|_| Found::default(), |uri| look(&uri, &headers, false))
}

fn value_of(found: &mut Found, name: &str, value: &str, member: bool) {
    // Words alone are no attack.
    if value
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '-')
    {
        return;
    }
    if !FREE.contains(&name) {
        found.add(SURE, ANYWHERE.kinds(value));
        found.add(SURE, TYPED.kinds(value));
        found.add(SURE, ANYWHERE.kinds(&decoded(name)));
    } else if !member {
        found.add(TEXT, ANYWHERE.kinds(value));
    }
}

fn clipped(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST))
        .unwrap_or(text)
}

/// Takes percent-encoding away, also where it was put on twice, and SQL's comments.
fn decoded(text: &str) -> Cow<'_, str> {
    let once = percent_decode_str(text).decode_utf8_lossy();
    if !once.contains(['%', '*']) {
        return once;
    }
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    Cow::Owned(twice.replace("/**/", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_of_a_request_is_looked_at_and_no_more() {
        let points = |target: String| asked(&target, "").points;
        let attack = "%27+or+1%3D1--";
        let behind = |letters| format!("/torrents?page={}{attack}", "a+".repeat(letters));
        assert_eq!(points(behind(100)), SURE);
        assert_eq!(points(behind(10_000)), 0);
        let after = |pairs| format!("/torrents?{}page={attack}", "a=b&".repeat(pairs));
        assert_eq!(points(after(MOST - 1)), SURE);
        assert_eq!(points(after(MOST)), 0);
    }
}
