//! Why a file was not compiled.

/// Why a file was not compiled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AotError {
    /// Not in the format, or cut short.
    #[error("not an ELF file, or one that is cut short: {0}")]
    Elf(String),
    /// For another machine.
    #[error("not a riscv64 ELF file: {0}")]
    Machine(String),
    /// Neither a program nor a shared object.
    #[error("neither a program nor a shared object; link it first")]
    NotLinked,
    /// It has no executable bytes.
    #[error("nothing in it can be executed")]
    NoCode,
    /// It has addresses of more than 32 bits.
    #[error("it reaches beyond 4 GiB")]
    TooLarge,
    /// No function could be compiled.
    #[error("no function in it can be compiled")]
    NoFunctions,
    /// The module that was made is not valid: a mistake of the compiler's.
    #[error("the module made of it is not valid ({0}); this is a bug of friscy's")]
    Invalid(String),
}
