/* A small Forth: text is compiled to threaded code, whose words are reached by computed goto. */
#include "../kernel.h"
const char *const kernel_name = "forth";
const int kernel_rounds = 3600;

enum { PUSH, CALL, EXIT, BRANCH, BRANCH0, ADD, SUB, MUL, AND, XOR, SHR, LESS, EQUAL, DUP, DROP, SWAP, OVER, ROT, FETCH, STORE, TO_R, FROM_R, STOP, OPS };
static const char *const names[OPS] = {
    "", "", "exit", "", "", "+", "-", "*", "and", "xor", ">>", "<", "=", "dup", "drop", "swap", "over", "rot", "@", "!", ">r", "r>", "",
};

static const char source[] =
    ": gcd begin dup while swap over mod repeat drop ; "
    ": fib dup 2 < if exit then dup 1 - fib swap 2 - fib + ; "
    ": collatz 0 swap begin dup 1 = not while dup 1 and if 3 * 1 + else 1 >> then swap 1 + swap repeat drop ; "
    ": fill 0 begin dup 256 < while dup dup 40503 * 1 xor swap ! 1 + repeat drop ; "
    ": sum 0 0 begin dup 256 < while dup @ rot + swap 1 + repeat drop ; "
    ": main fill sum 14 fib + 0 begin dup 200 < while dup 1 + collatz rot + swap 1 + repeat drop "
    "30 begin dup while dup 360 gcd rot + swap 1 - repeat drop ; ";

typedef struct {
    char name[12];
    int start;
} Definition;
static int64_t code[1024];
static Definition definitions[32];
static int here, defined;

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static void compile_text(const char *text)
{
    int open[16], depth = 0;
    char word[12];
    while (*text) {
        int n = 0, known = 0;
        while (*text && *text != ' ') word[n++] = *text++;
        word[n] = 0;
        text += *text == ' ';
        if (same(word, ":")) {
            Definition *definition = &definitions[defined++];
            for (n = 0; *text != ' ';) definition->name[n++] = *text++;
            definition->name[n] = 0;
            definition->start = here;
            text++;
        } else if (same(word, ";")) {
            code[here++] = EXIT;
        } else if (same(word, "begin")) {
            open[depth++] = here;
        } else if (same(word, "if") || same(word, "while")) {
            code[here++] = BRANCH0;
            open[depth++] = here++;
        } else if (same(word, "else")) {
            code[here++] = BRANCH;
            code[open[depth - 1]] = here + 1;
            open[depth - 1] = here++;
        } else if (same(word, "then")) {
            code[open[--depth]] = here;
        } else if (same(word, "repeat")) {
            code[here++] = BRANCH;
            code[here++] = open[depth - 2];
            code[open[depth - 1]] = here;
            depth -= 2;
        } else if (*word >= '0' && *word <= '9' && word[n - 1] <= '9') {
            int64_t value = 0;
            for (n = 0; word[n]; n++) value = value * 10 + word[n] - '0';
            code[here++] = PUSH;
            code[here++] = value;
        } else {
            for (int op = 0; op < OPS && !known; op++)
                if (names[op][0] && same(word, names[op])) code[here++] = op, known = 1;
            for (int i = defined - 1; i >= 0 && !known; i--)
                if (same(word, definitions[i].name)) code[here++] = CALL, code[here++] = definitions[i].start, known = 1;
        }
    }
}

static int64_t run(int start)
{
    static const void *const labels[OPS] = {
        &&push, &&call, &&leave, &&branch, &&branch0, &&add, &&sub, &&mul, &&and, &&xor, &&shr, &&less,
        &&equal, &&dup, &&drop, &&swap, &&over, &&rot, &&fetch, &&store, &&to_r, &&from_r, &&stop,
    };
    static int64_t stack[256], returns[256], memory[256];
    static int64_t first[3] = {CALL, 0, STOP};
    const int64_t *ip = first;
    int64_t *sp = stack, *rp = returns, t;
    first[1] = start;
#define NEXT goto *labels[*ip++]
    NEXT;
push: *++sp = *ip++; NEXT;
call: *++rp = (int64_t)(intptr_t)(ip + 1); ip = code + *ip; NEXT;
leave: ip = (const int64_t *)(intptr_t)*rp--; NEXT;
branch: ip = code + *ip; NEXT;
branch0: ip = *sp-- ? ip + 1 : code + *ip; NEXT;
add: sp--; *sp = (uint64_t)*sp + sp[1]; NEXT;
sub: sp--; *sp = (uint64_t)*sp - sp[1]; NEXT;
mul: sp--; *sp = (uint64_t)*sp * sp[1]; NEXT;
and: sp--; *sp &= sp[1]; NEXT;
xor: sp--; *sp ^= sp[1]; NEXT;
shr: sp--; *sp = (uint64_t)*sp >> (sp[1] & 63); NEXT;
less: sp--; *sp = *sp < sp[1]; NEXT;
equal: sp--; *sp = *sp == sp[1]; NEXT;
dup: sp++; *sp = sp[-1]; NEXT;
drop: sp--; NEXT;
swap: t = *sp; *sp = sp[-1]; sp[-1] = t; NEXT;
over: sp++; *sp = sp[-2]; NEXT;
rot: t = sp[-2]; sp[-2] = sp[-1]; sp[-1] = *sp; *sp = t; NEXT;
fetch: *sp = memory[*sp & 255]; NEXT;
store: sp -= 2; memory[sp[2] & 255] = sp[1]; NEXT;
to_r: *++rp = *sp--; NEXT;
from_r: *++sp = *rp--; NEXT;
stop: return *sp;
}

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    compile_text(": not 0 = ; : mod >r begin r> over over < not while dup >r - repeat drop ; ");
    compile_text(source);
    int start = definitions[defined - 1].start;
    for (int r = 0; r < rounds; r++) h = mix(h, run(start));
    return h;
}
