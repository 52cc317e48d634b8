//! Reads a source file as far as the rules need it: tokens without comments, test code left out, and every path.

use std::collections::BTreeSet;

/// A source file, read.
pub(crate) struct Source {
    /// From the repository's root, e.g. `src/link/mod.rs`.
    pub(crate) file: String,
    /// As it is.
    pub(crate) text: String,
    /// Every path outside test code, from the crate's root where it is one of ours.
    pub(crate) paths: Vec<PathUse>,
    /// Derives of types outside test code.
    pub(crate) derives: Vec<Derive>,
    /// Files that only tests are built from: `#[cfg(test)] mod NAME;`.
    pub(crate) test_modules: Vec<String>,
    /// Macros that bring other files in, with the literals among their arguments joined.
    pub(crate) inclusions: Vec<Inclusion>,
}

/// One path, e.g. `crate::model::ids::PartyId`, wherever it stands: a `use`, a type, an expression, a macro.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathUse {
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// A type and what it derives.
pub(crate) struct Derive {
    pub(crate) line: usize,
    pub(crate) type_name: String,
    pub(crate) traits: BTreeSet<String>,
}

/// `include_str!("…")` and the like.
pub(crate) struct Inclusion {
    pub(crate) line: usize,
    pub(crate) macro_name: String,
    pub(crate) target: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Word(String),
    Text(String),
    Mark(char),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
}

impl Token {
    fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Text(_) | Kind::Mark(_) => None,
        }
    }
}

impl Source {
    pub(crate) fn read(file: &str, text: &str) -> Self {
        let mut test_modules = Vec::new();
        let tokens = without_tests(tokens(text), &mut test_modules);
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            paths: paths(&tokens, &module_of(file)),
            derives: derives(&tokens),
            test_modules,
            inclusions: inclusions(&tokens),
        }
    }
}

/// `src/link/mod.rs` and `src/link.rs` are `link`; `src/lib.rs` is the root.
fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_prefix("src/").unwrap_or(file);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |place: usize| chars.get(place).copied().unwrap_or('\0');
    let (mut found, mut place, mut line) = (Vec::new(), 0, 1);
    while place < chars.len() {
        let (start, first) = (place, at(place));
        let kind = if first == '/' && at(place + 1) == '/' {
            place = end_of(&chars, place, |here| at(here) == '\n');
            None
        } else if first == '/' && at(place + 1) == '*' {
            place = end_of_block_comment(&chars, place);
            None
        } else if let Some(hashes) = raw_text(&chars, place) {
            let open = end_of(&chars, place, |here| at(here) == '"') + 1;
            let close =
                end_of(&chars, open, |here| at(here) == '"' && (1..=hashes).all(|further| at(here + further) == '#'));
            place = close + 1 + hashes;
            Some(Kind::Text(chars[open..close.min(chars.len())].iter().collect()))
        } else if first == '"' {
            place += 1;
            while place < chars.len() && at(place) != '"' {
                place += if at(place) == '\\' { 2 } else { 1 };
            }
            place += 1;
            Some(Kind::Text(chars[start + 1..(place - 1).min(chars.len())].iter().collect()))
        } else if first == '\'' {
            // A character, or a lifetime, whose name is skipped with its quote.
            if at(place + 1) == '\\' {
                place = end_of(&chars, place + 3, |here| at(here) == '\'') + 1;
            } else if at(place + 2) == '\'' {
                place += 3;
            } else {
                place = end_of(&chars, place + 1, |here| !is_word(at(here)));
            }
            None
        } else if is_word(first) {
            place = end_of(&chars, place, |here| !is_word(at(here)));
            Some(Kind::Word(chars[start..place].iter().collect()))
        } else {
            place += 1;
            (!first.is_whitespace()).then_some(Kind::Mark(first))
        };
        found.extend(kind.map(|kind| Token { kind, line }));
        line += chars[start..place.min(chars.len())].iter().filter(|&&passed| passed == '\n').count();
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn end_of(chars: &[char], from: usize, ends: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|&here| ends(here)).unwrap_or(chars.len())
}

fn end_of_block_comment(chars: &[char], from: usize) -> usize {
    let (mut depth, mut place) = (0, from);
    while place < chars.len() {
        match chars.get(place..place + 2) {
            Some(['/', '*']) => depth += 1,
            Some(['*', '/']) => depth -= 1,
            _ => {
                place += 1;
                continue;
            }
        }
        place += 2;
        if depth == 0 {
            break;
        }
    }
    place
}

/// The number of `#` when a raw text (`r"`, `br#"`, `cr##"`) starts here.
fn raw_text(chars: &[char], from: usize) -> Option<usize> {
    if from > 0 && is_word(chars[from - 1]) {
        return None;
    }
    let mut rest = chars[from..].iter().copied().peekable();
    rest.next_if(|&letter| letter == 'b' || letter == 'c');
    rest.next_if_eq(&'r')?;
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    (rest.next() == Some('"')).then_some(hashes)
}

/// Leaves out each item under `#[cfg(test)]` or `#[test]`, and notes the files that are so declared.
fn without_tests(tokens: Vec<Token>, test_modules: &mut Vec<String>) -> Vec<Token> {
    let (mut kept, mut place) = (Vec::new(), 0);
    while place < tokens.len() {
        if !starts_test(&tokens, place) {
            kept.push(tokens[place].clone());
            place += 1;
            continue;
        }
        while tokens.get(place).is_some_and(|token| token.is('#')) {
            place = closing(&tokens, place + 1) + 1;
        }
        let end = end_of_head(&tokens, place);
        if tokens.get(end).is_some_and(|token| token.is(';')) {
            let declares = tokens[place..end].iter().rev().filter_map(Token::word).take(2).collect::<Vec<_>>();
            if let [name, "mod"] = declares[..] {
                test_modules.push(name.to_owned());
            }
            place = end + 1;
        } else {
            place = closing(&tokens, end) + 1;
        }
    }
    kept
}

fn starts_test(tokens: &[Token], place: usize) -> bool {
    if !tokens[place].is('#') || !tokens.get(place + 1).is_some_and(|token| token.is('[')) {
        return false;
    }
    let inside = &tokens[place + 2..closing(tokens, place + 1).min(tokens.len())];
    let words: Vec<_> = inside.iter().filter_map(Token::word).collect();
    words == ["test"] || (words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not"))
}

/// The `{` or `;` after an item's head, past the brackets of its arguments and types.
fn end_of_head(tokens: &[Token], mut place: usize) -> usize {
    while let Some(token) = tokens.get(place) {
        match token.kind {
            Kind::Mark('{' | ';') => break,
            Kind::Mark('(' | '[') => place = closing(tokens, place) + 1,
            Kind::Mark(_) | Kind::Word(_) | Kind::Text(_) => place += 1,
        }
    }
    place.min(tokens.len())
}

/// Where the bracket that opens at `open` closes.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('{' | '[' | '(') => depth += 1,
            Kind::Mark('}' | ']' | ')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return place;
                }
            }
            Kind::Mark(_) | Kind::Word(_) | Kind::Text(_) => {}
        }
    }
    tokens.len()
}

fn paths(tokens: &[Token], file_module: &[String]) -> Vec<PathUse> {
    let (mut found, mut place) = (Vec::new(), 0);
    let mut depth = 0_usize;
    let mut inline: Vec<(usize, String)> = Vec::new();
    while place < tokens.len() {
        let token = &tokens[place];
        match &token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => {
                depth = depth.saturating_sub(1);
                inline.retain(|(level, _)| *level <= depth);
            }
            Kind::Word(word) if word == "mod" && tokens.get(place + 2).is_some_and(|token| token.is('{')) => {
                let name = tokens[place + 1].word().unwrap_or_default().to_owned();
                inline.push((depth + 1, name));
                place += 1;
            }
            Kind::Word(_) => {
                let mut module = file_module.to_vec();
                module.extend(inline.iter().map(|(_, name)| name.clone()));
                let is_use = token.word() == Some("use");
                if is_use {
                    place += 1;
                }
                let mut written = Vec::new();
                place = tree(tokens, place, &mut Vec::new(), is_use, &mut written);
                for (line, segments) in written {
                    found.extend(from_root(&segments, &module).map(|path| PathUse { line, path }));
                }
                continue;
            }
            Kind::Mark(_) | Kind::Text(_) => {}
        }
        place += 1;
    }
    found
}

/// Reads one path, and in a `use` its branches; returns where it ends.
fn tree(
    tokens: &[Token],
    mut place: usize,
    before: &mut Vec<String>,
    is_use: bool,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let depth = before.len();
    let leading = |place: usize| {
        tokens.get(place).is_some_and(|token| token.is(':')) && tokens.get(place + 1).is_some_and(|token| token.is(':'))
    };
    if leading(place) {
        place += 2;
    }
    let mut line = 0;
    while let Some(token) = tokens.get(place) {
        line = token.line;
        if is_use && token.is('{') {
            let end = closing(tokens, place);
            place += 1;
            while place < end {
                place = tree(tokens, place, before, true, found);
                if place < end {
                    place += 1;
                }
            }
            before.truncate(depth);
            return end + 1;
        }
        match &token.kind {
            Kind::Word(word) => before.push(word.clone()),
            Kind::Mark('*') if is_use => before.push("*".to_owned()),
            Kind::Mark(_) | Kind::Text(_) => break,
        }
        place += 1;
        if !leading(place) {
            break;
        }
        place += 2;
    }
    if is_use && tokens.get(place).is_some_and(|token| token.word() == Some("as")) {
        place += 2;
    }
    found.push((line, before.clone()));
    before.truncate(depth);
    place
}

/// The path from the crate's root; `None` for a single word that names nothing outside its file.
fn from_root(written: &[String], module: &[String]) -> Option<String> {
    let ups = written.iter().take_while(|segment| *segment == "super").count();
    let (mut root, rest) = match written.first().map(String::as_str) {
        Some("super") => (module[..module.len().saturating_sub(ups)].to_vec(), &written[ups..]),
        Some("self") if written.len() > 1 => (module.to_vec(), &written[1..]),
        Some("crate") => (Vec::new(), &written[1..]),
        Some(_) if written.len() > 1 => return Some(written.join("::")),
        _ => return None,
    };
    root.extend(rest.iter().filter(|segment| *segment != "self").cloned());
    root.insert(0, "crate".to_owned());
    Some(root.join("::"))
}

fn derives(tokens: &[Token]) -> Vec<Derive> {
    let (mut found, mut traits) = (Vec::new(), BTreeSet::new());
    let mut place = 0;
    while place < tokens.len() {
        match tokens[place].word() {
            Some("derive") => {
                let end = closing(tokens, place + 1).min(tokens.len());
                traits.extend(tokens[place..end].iter().skip(1).filter_map(Token::word).map(str::to_owned));
                place = end;
            }
            Some("struct" | "enum" | "union") => {
                let name = tokens.get(place + 1).and_then(Token::word).unwrap_or_default();
                let traits = std::mem::take(&mut traits);
                found.push(Derive { line: tokens[place].line, type_name: name.to_owned(), traits });
            }
            // Derives belong to the item they precede; a function or an impl in between ends them.
            Some("fn" | "impl" | "trait" | "const" | "static") => traits.clear(),
            _ => {}
        }
        place += 1;
    }
    found
}

fn inclusions(tokens: &[Token]) -> Vec<Inclusion> {
    let named = |place: usize| {
        let name = tokens[place].word().filter(|name| name.starts_with("include"))?;
        tokens.get(place + 1).filter(|mark| mark.is('!'))?;
        let end = closing(tokens, place + 2).min(tokens.len());
        let texts = tokens[place..end].iter().filter_map(|token| match &token.kind {
            Kind::Text(text) => Some(text.as_str()),
            Kind::Word(_) | Kind::Mark(_) => None,
        });
        Some(Inclusion { line: tokens[place].line, macro_name: name.to_owned(), target: texts.collect() })
    };
    (0..tokens.len()).filter_map(named).collect()
}
