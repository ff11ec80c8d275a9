//! The annotations of a class, read from its class file (JVM specification, chapter 4). Anything can be
//! in such a file: what is not as it should be is an error, never a panic.

use std::collections::BTreeMap;

/// What a class file is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a class file")]
pub(super) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// One annotation of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Annotation {
    /// As the class file has it: `Ljakarta/servlet/annotation/WebServlet;`.
    pub(super) descriptor: String,
    /// The strings among its elements, those in arrays too, by the elements' names.
    pub(super) strings: BTreeMap<String, Vec<String>>,
}

/// How deep annotations in annotations may go: the compiler's own limit is far beyond what people write.
const DEEPEST: usize = 16;

/// The annotations of a class that are there at run time.
pub(super) fn annotations(bytes: &[u8]) -> Result<Vec<Annotation>> {
    let mut reader = Reader { bytes };
    if reader.u32()? != 0xcafe_babe {
        return Err(Malformed);
    }
    // Its version: the parts that are read here never changed.
    reader.skip(4)?;
    let constants = Constants::read(&mut reader)?;
    // Access, the class, its parent.
    reader.skip(6)?;
    let interfaces = reader.u16()?;
    reader.skip(2 * usize::from(interfaces))?;
    // Fields, then methods: both are built alike.
    for _ in 0..2 {
        for _ in 0..reader.u16()? {
            reader.skip(6)?;
            for _ in 0..reader.u16()? {
                attribute(&mut reader)?;
            }
        }
    }
    let mut found = Vec::new();
    for _ in 0..reader.u16()? {
        let (name, mut content) = attribute(&mut reader)?;
        if constants.text(name)? == "RuntimeVisibleAnnotations" {
            for _ in 0..content.u16()? {
                found.push(annotation(&mut content, &constants, DEEPEST)?);
            }
        }
    }
    Ok(found)
}

fn attribute<'a>(reader: &mut Reader<'a>) -> Result<(u16, Reader<'a>)> {
    let name = reader.u16()?;
    let length = usize::try_from(reader.u32()?).map_err(|_| Malformed)?;
    Ok((name, Reader { bytes: reader.take(length)? }))
}

fn annotation(
    reader: &mut Reader<'_>,
    constants: &Constants<'_>,
    depth: usize,
) -> Result<Annotation> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let descriptor = constants.text(reader.u16()?)?;
    let mut annotation = Annotation { descriptor, ..Annotation::default() };
    for _ in 0..reader.u16()? {
        let name = constants.text(reader.u16()?)?;
        let mut strings = Vec::new();
        element(reader, constants, depth, &mut strings)?;
        annotation.strings.insert(name, strings);
    }
    Ok(annotation)
}

/// Reads one value of an element, and notes it if it is a string.
fn element(
    reader: &mut Reader<'_>,
    constants: &Constants<'_>,
    depth: usize,
    strings: &mut Vec<String>,
) -> Result<()> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    match reader.u8()? {
        b's' => strings.push(constants.text(reader.u16()?)?),
        b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' | b'Z' | b'c' => reader.skip(2)?,
        b'e' => reader.skip(4)?,
        b'@' => drop(annotation(reader, constants, depth)?),
        b'[' => {
            for _ in 0..reader.u16()? {
                element(reader, constants, depth, strings)?;
            }
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// The texts of the constant pool, by their numbers.
struct Constants<'a>(BTreeMap<u16, &'a [u8]>);

impl<'a> Constants<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let count = reader.u16()?;
        let mut texts = BTreeMap::new();
        let mut number: u16 = 1;
        while number < count {
            let mut numbers = 1;
            match reader.u8()? {
                1 => {
                    let length = reader.u16()?;
                    texts.insert(number, reader.take(length.into())?);
                }
                7 | 8 | 16 | 19 | 20 => reader.skip(2)?,
                15 => reader.skip(3)?,
                3 | 4 | 9..=12 | 17 | 18 => reader.skip(4)?,
                // Long numbers count twice.
                5 | 6 => {
                    reader.skip(8)?;
                    numbers = 2;
                }
                _ => return Err(Malformed),
            }
            number = number.checked_add(numbers).ok_or(Malformed)?;
        }
        Ok(Self(texts))
    }

    /// Java writes other characters than ASCII a little differently; those come out as signs for that.
    fn text(&self, number: u16) -> Result<String> {
        let bytes = self.0.get(&number).ok_or(Malformed)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Numbers with the highest byte first.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A class file with one annotation, as a compiler writes it: other constants around, an
    /// interface, a method with code, elements that are no strings.
    pub(crate) fn class(descriptor: &str, element: &str, values: &[String]) -> Vec<u8> {
        let mut pool = vec![
            vec![5, 0, 0, 0, 0, 0, 0, 0, 1], // two numbers: 1 and 2
            utf8("RuntimeVisibleAnnotations"),
            utf8(descriptor),
            utf8(element),
            utf8("loadOnStartup"),
            vec![3, 0, 0, 0, 1],
            utf8("Code"),
            vec![7, 0, 4],
            vec![12, 0, 4, 0, 5],
        ];
        let first = u16::try_from(pool.len()).unwrap() + 2;
        pool.extend(values.iter().map(|value| utf8(value)));
        let end = first + u16::try_from(values.len()).unwrap();
        let mut bytes = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61];
        put(&mut bytes, &[end]);
        bytes.extend(pool.concat());
        put(&mut bytes, &[0x21, 9, 9, 1, 9, 0]); // one interface, no field
        put(&mut bytes, &[1, 1, 4, 5, 1, 8]); // one method with its code
        bytes.extend([0, 0, 0, 3, 1, 2, 3]);
        let mut annotation = Vec::new();
        put(&mut annotation, &[1, 4, 2, 6]);
        annotation.extend([b'I', 0, 7]);
        put(&mut annotation, &[5]);
        annotation.push(b'[');
        put(&mut annotation, &[end - first]);
        for number in first..end {
            annotation.push(b's');
            put(&mut annotation, &[number]);
        }
        put(&mut bytes, &[1, 3]);
        bytes.extend(u32::try_from(annotation.len()).unwrap().to_be_bytes());
        bytes.extend(annotation);
        bytes
    }

    fn put(bytes: &mut Vec<u8>, numbers: &[u16]) {
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    }

    fn utf8(text: &str) -> Vec<u8> {
        let mut constant = vec![1];
        put(&mut constant, &[u16::try_from(text.len()).unwrap()]);
        constant.extend(text.as_bytes());
        constant
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(values in prop::collection::vec("[a-z/*.]{0,9}", 0..9)) {
            let read = annotations(&class("LWeb;", "urlPatterns", &values)).unwrap();
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(&read[0].descriptor, "LWeb;");
            prop_assert_eq!(&read[0].strings["urlPatterns"], &values);
            prop_assert_eq!(&read[0].strings["loadOnStartup"], &Vec::<String>::new());
        }

        #[test]
        fn a_part_of_a_file_is_refused(cut in 0_usize..200) {
            let whole = class("LWeb;", "value", &["/a".to_owned()]);
            prop_assume!(cut < whole.len());
            prop_assert_eq!(annotations(&whole[..cut]), Err(Malformed));
        }

        #[test]
        fn anything_is_read_or_refused(
            changes in prop::collection::vec((8_usize..200, any::<u8>()), 1..9),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = annotations(&noise);
            let mut bytes = class("LWeb;", "value", &["/a".to_owned()]);
            for (place, value) in changes {
                let place = place % bytes.len();
                bytes[place] = value;
            }
            let _ = annotations(&bytes);
        }
    }

    #[test]
    fn annotations_in_annotations_end_somewhere() {
        let (mut content, constants) = (Vec::new(), Constants([(1, &b"LA;"[..])].into()));
        for _ in 0..100_000 {
            put(&mut content, &[1, 1, 1]);
            content.push(b'@');
        }
        let read = annotation(&mut Reader { bytes: &content }, &constants, DEEPEST);
        assert_eq!(read, Err(Malformed));
    }
}
