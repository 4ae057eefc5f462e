//! What attackers send is seen, and what members write, search and are called never is.

use std::collections::BTreeSet;

use api::limit::attack::{Found, look};
use reqwest::header::{HeaderMap, USER_AGENT};
use tests::tally;

fn seen(target: &str, agent: &str, member: bool) -> Found {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, agent.parse().unwrap());
    look(&target.parse().unwrap(), &headers, member)
}

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Puts a text into an address as a form does.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.%".contains(byte);
    let letter = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        _ if plain(&byte) => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[test]
fn attacks_are_seen_for_what_they_are() {
    let corpus = include_str!("attack/attacks.txt");
    let (mut section, mut tried, mut missed) = ("", 0, vec![]);
    for line in corpus.lines() {
        if let "[value]" | "[path]" | "[agent]" = line {
            section = line;
            continue;
        }
        let found = match section {
            "[value]" => seen(&format!("/torrents?page={}", encoded(line)), BROWSER, true),
            "[path]" => seen(line, BROWSER, true),
            _ => seen("/", line, true),
        };
        tried += 1;
        if found.points == 0 || found.about().is_empty() {
            missed.push(line);
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {tried}: {missed:#?}",
        missed.len()
    );
    assert!(tried > 300, "{tried}");
    tally("attacks", &format!("attacks: {tried} strings, all seen"));
}

/// Titles and phrases that look worse than they are.
const TITLES: [&str; 60] = [
    "Ocean's Eleven",
    "The Hitchhiker's Guide to the Galaxy",
    "'Allo 'Allo!",
    "Don't Look Up",
    "Rock 'n' Roll High School",
    "\"Crocodile\" Dundee",
    "Ferris Bueller's Day Off",
    "Schindler's List",
    "Union Station",
    "Select Committee Hearings",
    "The Union Select Orchestra",
    "Drop Dead Fred",
    "Drop the Table; a documentary",
    "Delete",
    "Update: the Movie",
    "Insert Coin",
    "The Table",
    "Alter Ego",
    "Having a Wild Weekend",
    "Order by Midnight",
    "Where the Wild Things Are",
    "From Dusk Till Dawn",
    "Sleep (1964)",
    "The Big Sleep",
    "And Then There Were None",
    "Or What You Will",
    "1 or 2 Things I Know",
    "8 1/2",
    "50/50",
    "(500) Days of Summer",
    "Se7en",
    "*batteries not included",
    "Tick, Tick... Boom!",
    "Them!",
    "M*A*S*H",
    "WALL·E",
    "[REC]",
    "Cat on a Hot Tin Roof",
    "The Cat Returns",
    "Ping Pong",
    "Bash",
    "Who Am I",
    "Id",
    "Script Girl",
    "JavaScript: The Good Parts",
    "JavaScript: The Definitive Guide",
    "Learning SQL",
    "SQL for Dummies",
    "C++ Primer",
    "The Art of Computer Programming, Vol. 1",
    "Köln 75",
    "千と千尋の神隠し",
    "Amélie",
    "Ночной дозор",
    "Pride & Prejudice",
    "Fast & Furious",
    "Love, Death + Robots",
    "What's Up, Doc?",
    "12 Angry Men",
    "#Alive",
];

const FORMS: [&str; 40] = [
    "{}",
    "{} 1080p",
    "{} (1999)",
    "{} S01E02",
    "{} - Season 1",
    "\"{}\"",
    "'{}'",
    "{} and more",
    "{} or similar",
    "{} -cam",
    "{} AND remux",
    "{} OR web-dl",
    "{}; extended",
    "{} -- director's cut",
    "{} /* fan edit */",
    "{} [x265]",
    "{} {edition-Final Cut}",
    "{} <3",
    "{} > the sequel",
    "{} = great",
    "{} 100%",
    "is {} any good?",
    "{}'s soundtrack",
    "{} & extras",
    "{} | subtitles",
    "{} #1",
    "looking for {}, thanks",
    "{} ../extras",
    "C:\\Films\\{}",
    "/home/me/films/{}",
    "~/films/{}",
    "{} $5",
    "{} 2 * 3",
    "{}: what's the union of both?",
    "select {} from the list",
    "where is {}?",
    "drop {} please",
    "update {} set",
    "sleep ({} hours)",
    "`{}`",
];

/// What members write about what attackers do.
const POSTS: [&str; 60] = [
    "How do I write a SELECT with two JOINs? I have SELECT name FROM films WHERE year > 1990 and get nothing.",
    "UNION removes duplicates, UNION ALL doesn't. Select the columns in the same order.",
    "Never build SQL by hand: use bound parameters. It's how O'Reilly's book explains it.",
    "My table is called `order`; do I need quotes, as in \"order\"?",
    "DROP TABLE is what little Bobby Tables was named for.",
    "DELETE FROM films WHERE id = 5 worked, but the index is still large. Do I have to VACUUM?",
    "INSERT INTO films (name) VALUES ('Ocean''s Eleven') is how you escape an apostrophe.",
    "UPDATE seeds SET count = count + 1 WHERE id = 7; is that atomic?",
    "What's the difference between sleep(5) and pg_sleep? Asking for a friend.",
    "The information_schema holds the names of all tables.",
    "ORDER BY 2 sorts by the second column.",
    "std::vector<int> v = {1, 2, 3}; for (auto& x : v) std::cout << x << '\\n';",
    "template <typename T> T max(T a, T b) { return a > b ? a : b; }",
    "#include <iostream>\nint main() { return 0; }",
    "if (a < b && b > c || !d) { e = f ? g : h; }",
    "for (int i = 0; i < n; ++i) sum += a[i] * b[i];",
    "let x: Option<&str> = map.get(\"key\").copied();",
    "fn main() -> Result<(), Box<dyn Error>> { Ok(()) }",
    "const f = (a, b) => a + b; // no semicolon, no problem",
    "In JavaScript: document is the page, window is the window.",
    "The <b> tag is bold, <i> is italic, <br> breaks a line.",
    "Use a < b, not a <= b; that's the bug.",
    "cd ../../build && make -j4 works for me.",
    "It's in ../lib/libfoo.so, or in /usr/lib.",
    "What's in /etc/passwd? Users, but no passwords any more.",
    "My files are in C:\\Users\\me\\Downloads\\..\\Films.",
    "rsync -av --delete src/ dst/ copies it over; then ls | wc -l to count.",
    "curl -s localhost:8080/announce | less shows what the tracker says.",
    "grep -r 'foo' . | sort | uniq -c",
    "Run cat file.txt; it prints the file.",
    "My nmap tutorial is in the wiki, and nikto too.",
    "The path is \\\\server\\share\\films",
    "Price: $5; or 2 for $9 -- limited!",
    "It's 5 o'clock somewhere; isn't it?",
    "\"Don't\", she said; \"or else\".",
    "'Twas brillig, and the slithy toves",
    "Rock'n'roll isn't dead, it's just sleeping (again).",
    "A or B = C? Let's see: true or false.",
    "x' = x + 1 and y' = y - 1 in the next step.",
    "f'(x) = 2x and f''(x) = 2",
    "5' 10\" tall and 70 kg",
    "The '90s and the '80s: which is better?",
    "O'Brien and O'Neil or D'Angelo",
    "L'été, c'est l'heure d'aller à la plage",
    "Everything (really, everything) works now :)",
    "<3 this release! >:( about the subtitles",
    "-- \nsent from my phone",
    "/* this */ is a comment in C",
    "# Heading\n\n* one\n* two\n\n> a quote",
    "`inline code` and ```blocks``` work",
    "[a link](https://example.org/?a=1&b=2) and ![an image](x.png)",
    "https://example.org/search?q=it's+me&page=2",
    "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x",
    "{{ template }} placeholders and ${variables} in shells",
    "50% off; 100% legal",
    "a && b || c",
    "1=1 is true, and 1=2 is false",
    "He said: union, select, drop, and table are just words.",
    "select all, copy, paste; then exec the file",
    "user@host:~$ whoami",
];

const NAMES: [&str; 30] = [
    "zoë_42",
    "o-brien",
    "select",
    "union",
    "drop_table",
    "admin",
    "root",
    "null",
    "undefined",
    "script",
    "cat",
    "id",
    "nmap-fan",
    "nikto",
    "sleepy",
    "bobby-tables",
    "alert1",
    "etc",
    "passwd",
    "php",
    "li",
    "jean-luc",
    "Ünal",
    "日本",
    "or",
    "and",
    "having",
    "exec",
    "java",
    "dotdot",
];

/// What the site's own pages ask for.
const OWN: [&str; 12] = [
    "/torrents?q=x&sort=seeders&dir=desc&from=7b2261223a317d",
    "/torrents?category=movies-hd&min_size=1.5+GiB&max_size=20+GB",
    "/torrents?tag=00000000-0000-4000-8000-000000000000&free=on",
    "/rss/latest?key=0123456789abcdef0123456789abcdef&limit=50",
    "/api/torznab?t=tvsearch&cat=5000,5040&q=What's+Up&season=1&ep=2&apikey=0123456789abcdef",
    "/api/torznab/api?t=caps&apikey=0123456789abcdef",
    "/sign-in?next=%2Ftorrents%3Fq%3DOcean%27s%2BEleven%26sort%3Dsize",
    "/audit?stream=torrent-00000000-0000-4000-8000-000000000000&from=2026-01-01T10%3A00%3A00Z",
    "/api/auth/challenge?username=o%27brien&purpose=password",
    "/forum/search?q=SELECT+*+FROM+x",
    "/help/operator",
    "/settings/feeds?q=it%27s&category=tv",
];

fn innocent() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for title in TITLES {
        all.extend(FORMS.iter().map(|form| form.replace("{}", title)));
    }
    for (at, post) in POSTS.iter().enumerate() {
        all.insert((*post).to_owned());
        for title in TITLES {
            all.insert(format!("{title}: {post}"));
        }
        all.insert(format!("{post}\n\n{}", POSTS[(at + 7) % POSTS.len()]));
    }
    all.extend(NAMES.iter().map(|name| (*name).to_owned()));
    all
}

#[test]
fn what_members_write_search_and_are_called_is_never_held_against_them() {
    let (mut wrong, mut asked) = (vec![], 0);
    let mut check = |target: &str, member: bool| {
        asked += 1;
        let found = seen(target, BROWSER, member);
        if found.points > 0 {
            wrong.push(format!("{target}: {}", found.about()));
        }
    };
    let texts = innocent();
    for text in &texts {
        // Whoever it is, in whatever is for text.
        for name in ["q", "text", "next"] {
            check(
                &format!("/torrents?{name}={}", encoded(&text.replace('%', "%25"))),
                false,
            );
        }
        check(
            &format!("/forum/search?q={}", encoded(&text.replace('%', "%25"))),
            true,
        );
    }
    for name in NAMES {
        check(
            &format!("/members/{}", encoded(name).replace('+', "%20")),
            false,
        );
    }
    for target in OWN {
        check(target, false);
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked}: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(30)]
    );
    assert!(texts.len() >= 5_000, "{}", texts.len());
    tally(
        "innocent",
        &format!(
            "innocent texts: {} in {asked} requests, none held against anybody",
            texts.len()
        ),
    );
}

#[test]
fn even_an_attack_in_a_members_own_words_is_nobodys_fault() {
    let attack = encoded("' UNION SELECT username,password FROM users--");
    let searched = format!("/torrents?q={attack}");
    assert_eq!(seen(&searched, BROWSER, true).points, 0);
    assert_eq!(seen(&searched, BROWSER, false).points, 1);
    assert_eq!(
        seen(&format!("/torrents?sort={attack}"), BROWSER, true).points,
        10
    );
}
