//! Whose a client certificate is: its alternative names; of one that has none, the common name of its subject. Where there are
//! alternative names, the common name is words for people, which an authority may not have looked at.
//!
//! rustls has verified the certificate, and with it the whole encoding that is read here, but tells no names of clients. So the few
//! fields that hold them are read, and what is not as it should be ends the reading: fewer names, never other ones.

use tokio_rustls::rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
/// Texts in which a common name may be: UTF8String, PrintableString, IA5String. None of them is told apart.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// Version and extensions of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// Alternative names: address of mail, host name, URI.
const NAMES: [u8; 3] = [0x81, 0x82, 0x86];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The names that a certificate stands for.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let mut found = Found::default();
    // What ends early may have had alternative names: then the common name does not count.
    let whole = read(certificate, &mut found).is_some();
    match found.alternative {
        Some(names) => names,
        None if whole => found.common,
        None => Vec::new(),
    }
}

#[derive(Default)]
struct Found {
    common: Vec<String>,
    /// None: the certificate has no such extension, as far as it was read.
    alternative: Option<Vec<String>>,
}

fn read(der: &[u8], found: &mut Found) -> Option<()> {
    let mut whole = Elements(der);
    let mut signed = Elements(Elements(whole.of(SEQUENCE)?).of(SEQUENCE)?);
    signed.optional(VERSION)?;
    // Serial number, signature, issuer, validity.
    for _ in 0..4 {
        signed.next()?;
    }
    common_names(signed.of(SEQUENCE)?, &mut found.common);
    // The key. What else may be before the extensions has tags of its own.
    signed.next()?;
    while !signed.0.is_empty() {
        let (tag, content) = signed.next()?;
        if tag == EXTENSIONS {
            alternative_names(Elements(content).of(SEQUENCE)?, &mut found.alternative)?;
        }
    }
    Some(())
}

fn common_names(subject: &[u8], found: &mut Vec<String>) {
    let mut sets = Elements(subject);
    while let Some(set) = sets.of(SET) {
        let mut attributes = Elements(set);
        while let Some(attribute) = attributes.of(SEQUENCE) {
            let mut attribute = Elements(attribute);
            if attribute.of(OBJECT) == Some(COMMON_NAME)
                && let Some((tag, text)) = attribute.next()
                && TEXTS.contains(&tag)
            {
                found.extend(text_of(text));
            }
        }
    }
}

fn alternative_names(extensions: &[u8], found: &mut Option<Vec<String>>) -> Option<()> {
    let mut extensions = Elements(extensions);
    while !extensions.0.is_empty() {
        let mut extension = Elements(extensions.of(SEQUENCE)?);
        if extension.of(OBJECT)? != ALTERNATIVE_NAMES {
            continue;
        }
        let found = found.get_or_insert_default();
        extension.optional(BOOLEAN)?;
        let mut names = Elements(Elements(extension.of(OCTETS)?).of(SEQUENCE)?);
        while let Some((tag, name)) = names.next() {
            if NAMES.contains(&tag) {
                found.extend(text_of(name));
            }
        }
    }
    Some(())
}

/// A name, if it is one: a zero in the middle has hidden the rest of a name from others before.
fn text_of(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Elements of DER, one after the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The next one: tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next one, which must have that tag.
    fn of(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// Passes over the next one if it has that tag.
    fn optional(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) { self.next().map(drop) } else { Some(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut all = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short @ 0..=0x7f) => all.push(short),
            _ => all.extend([0x82, (content.len() >> 8) as u8, content.len() as u8]),
        }
        all.extend(content);
        all
    }

    fn certificate(common_name: &[u8], alternatives: &[(u8, &[u8])]) -> Vec<u8> {
        let names: Vec<Vec<u8>> = alternatives.iter().map(|(tag, name)| element(*tag, &[name])).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let other = element(SEQUENCE, &[&element(OBJECT, &[&[0x55, 0x1d, 0x0f]]), &element(OCTETS, &[b"x"])]);
        let alternative = element(
            SEQUENCE,
            &[
                &element(OBJECT, &[ALTERNATIVE_NAMES]),
                &element(BOOLEAN, &[&[0xff]]),
                &element(OCTETS, &[&element(SEQUENCE, &names)]),
            ],
        );
        let extensions = element(EXTENSIONS, &[&element(SEQUENCE, &[&other, &alternative])]);
        with(common_name, &extensions)
    }

    fn without_extensions(common_name: &[u8]) -> Vec<u8> {
        with(common_name, &[])
    }

    fn with(common_name: &[u8], extensions: &[u8]) -> Vec<u8> {
        let attribute = element(SEQUENCE, &[&element(OBJECT, &[COMMON_NAME]), &element(0x0c, &[common_name])]);
        let subject = element(SEQUENCE, &[&element(SET, &[&attribute])]);
        let (any, padding) = (element(0x02, &[b"1"]), element(SEQUENCE, &[&[0; 200]]));
        let version = element(VERSION, &[&any]);
        let signed = element(SEQUENCE, &[&version, &any, &any, &any, &any, &subject, &padding, extensions]);
        element(SEQUENCE, &[&signed, &any, &any])
    }

    #[test]
    fn alternative_names_are_found_and_the_common_name_only_where_there_are_none() {
        let der = certificate(b"anna", &[(0x82, b"dash.example"), (0x87, &[1, 2, 3, 4]), (0x81, b"anna@example")]);
        assert_eq!(names(&CertificateDer::from(der)), ["dash.example", "anna@example"]);
        let unusable = certificate(b"anna", &[(0x87, &[1, 2, 3, 4])]);
        assert!(names(&CertificateDer::from(unusable)).is_empty());
        assert_eq!(names(&CertificateDer::from(without_extensions(b"anna"))), ["anna"]);
    }

    #[test]
    fn what_is_no_name_and_what_is_cut_off_is_left_out() {
        let der = certificate(b"anna", &[(0x82, b"a\nb"), (0x82, b""), (0x82, &[0xff])]);
        assert!(names(&CertificateDer::from(der)).is_empty());
        assert!(names(&CertificateDer::from(without_extensions(b"anna\0.example"))).is_empty());
        let whole = certificate(b"anna", &[(0x82, b"dash.example")]);
        for length in 0..whole.len() {
            // Whatever is left of it: no panic, and no name that does not stand in it.
            let found = names(&CertificateDer::from(whole[..length].to_vec()));
            assert!(found.iter().all(|name| name == "dash.example"), "{found:?}");
        }
    }
}
