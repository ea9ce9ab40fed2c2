//! The stack a program starts with: argument and environment strings, and the auxiliary vector (getauxval(3)).

use friscy_abi::Errno;

/// The longest argument or environment string with its zero byte (`MAX_ARG_STRLEN`).
const STRING_MAX: usize = 131_072;

/// The most bytes of strings and pointers with a soft limit of `RLIMIT_STACK`: a quarter of that, but no less than 128
/// KiB and no more than 6 MiB.
fn total_max(stack_limit: u64) -> u64 {
    (stack_limit / 4).clamp(128 << 10, 6 << 20)
}

/// What a program is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// `argv`.
    pub argv: Vec<Vec<u8>>,
    /// `envp`.
    pub envp: Vec<Vec<u8>>,
    /// The path given to execve, `AT_EXECFN`.
    pub execfn: Vec<u8>,
}

impl Arguments {
    /// Checks the limits of execve(2), given the soft limit of `RLIMIT_STACK`.
    pub fn check(&self, stack_limit: u64) -> Result<(), Errno> {
        let strings = self.argv.iter().chain(&self.envp);
        let mut total = 0u64;
        for string in strings {
            if string.len() >= STRING_MAX {
                return Err(Errno::E2BIG);
            }
            total += string.len() as u64 + 1 + 8;
        }
        if total > total_max(stack_limit) { Err(Errno::E2BIG) } else { Ok(()) }
    }
}

/// The bytes at the top of the stack, and what lies where.
pub(crate) struct StackImage {
    /// The stack pointer: where `argc` is.
    pub sp: u64,
    /// From `sp` to the top.
    pub bytes: Vec<u8>,
    /// Addresses of the argument strings.
    pub args: (u64, u64),
    /// Addresses of the environment strings.
    pub env: (u64, u64),
    /// The auxiliary vector with its addresses filled in.
    pub auxv: Vec<(u64, u64)>,
}

/// `AT_NULL`, `AT_RANDOM`, `AT_EXECFN`.
const AT_NULL: u64 = 0;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;

impl StackImage {
    /// Lays out the stack below `top`. `auxv` lacks the entries that are addresses on the stack.
    pub fn build(top: u64, arguments: &Arguments, random: [u8; 16], auxv: &[(u64, u64)]) -> StackImage {
        // Strings, ascending: arguments, environment, the program's path, a null word.
        let mut strings = Vec::new();
        let mut place = |list: &[Vec<u8>]| -> (Vec<usize>, usize, usize) {
            let start = strings.len();
            let offsets = list
                .iter()
                .map(|string| {
                    let at = strings.len();
                    strings.extend_from_slice(string);
                    strings.push(0);
                    at
                })
                .collect();
            (offsets, start, strings.len())
        };
        let (argv, args_start, args_end) = place(&arguments.argv);
        let (envp, env_start, env_end) = place(&arguments.envp);
        let (execfn, ..) = place(std::slice::from_ref(&arguments.execfn));
        strings.extend_from_slice(&[0; 8]);
        let base = top - strings.len() as u64;
        let random_at = (base - 16) & !0xf;
        let mut vector: Vec<(u64, u64)> = auxv.to_vec();
        vector.push((AT_RANDOM, random_at));
        vector.push((AT_EXECFN, base + execfn.first().copied().unwrap_or(0) as u64));
        vector.push((AT_NULL, 0));
        let words = 1 + argv.len() + 1 + envp.len() + 1 + 2 * vector.len();
        let sp = (random_at - 8 * words as u64) & !0xf;
        let mut bytes = Vec::with_capacity((top - sp) as usize);
        let mut word = |value: u64| bytes.extend_from_slice(&value.to_le_bytes());
        word(argv.len() as u64);
        argv.iter().for_each(|&at| word(base + at as u64));
        word(0);
        envp.iter().for_each(|&at| word(base + at as u64));
        word(0);
        for &(kind, value) in &vector {
            word(kind);
            word(value);
        }
        bytes.resize((random_at - sp) as usize, 0);
        bytes.extend_from_slice(&random);
        bytes.resize((base - sp) as usize, 0);
        bytes.extend_from_slice(&strings);
        StackImage {
            sp,
            bytes,
            args: (base + args_start as u64, base + args_end as u64),
            env: (base + env_start as u64, base + env_end as u64),
            auxv: vector,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let arguments = Arguments {
            argv: vec![b"a".to_vec(), b"bc".to_vec()],
            envp: vec![b"X=1".to_vec()],
            execfn: b"/a".to_vec(),
        };
        let top = 0x10_0000;
        let image = StackImage::build(top, &arguments, [7; 16], &[(6, 4096)]);
        assert_eq!(image.sp % 16, 0);
        assert_eq!(image.sp + image.bytes.len() as u64, top);
        let word = |at: u64| {
            let at = (at - image.sp) as usize;
            u64::from_le_bytes(image.bytes[at..at + 8].try_into().unwrap())
        };
        let text = |at: u64| {
            let bytes = &image.bytes[(at - image.sp) as usize..];
            let end = bytes.iter().position(|&byte| byte == 0).unwrap();
            String::from_utf8(bytes[..end].to_vec()).unwrap()
        };
        assert_eq!(word(image.sp), 2);
        assert_eq!(text(word(image.sp + 8)), "a");
        assert_eq!(text(word(image.sp + 16)), "bc");
        assert_eq!(word(image.sp + 24), 0);
        assert_eq!(text(word(image.sp + 32)), "X=1");
        assert_eq!(word(image.sp + 40), 0);
        assert_eq!((word(image.sp + 48), word(image.sp + 56)), (6, 4096));
        assert_eq!(word(image.sp + 64), AT_RANDOM);
        assert_eq!(text(word(image.sp + 88)), "/a");
        assert_eq!((word(image.sp + 96), word(image.sp + 104)), (0, 0));
        assert_eq!(image.args.1, image.env.0);
        assert_eq!(word(image.sp + 8), image.args.0);
    }

    #[test]
    fn limits() {
        let long = Arguments { argv: vec![vec![b'x'; STRING_MAX]], ..Arguments::default() };
        assert_eq!(long.check(8 << 20), Err(Errno::E2BIG));
        let many = Arguments { argv: vec![vec![b'x'; 1000]; 3000], ..Arguments::default() };
        assert_eq!(many.check(8 << 20), Err(Errno::E2BIG));
        let fits = Arguments { argv: vec![vec![b'x'; 1000]; 1000], ..Arguments::default() };
        assert_eq!(fits.check(8 << 20), Ok(()));
    }
}
