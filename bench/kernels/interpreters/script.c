/* A small Lua: text is compiled to stack code over tagged values, which a switch runs. */
#include "../kernel.h"
const char *const kernel_name = "script";
const int kernel_rounds = 9500;

static const char source[] =
    "function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end "
    "function sieve(n) i = 2 count = 0 "
    "  while i < n do if t[i] == nil then count = count + 1 j = i + i while j < n do t[j] = true j = j + i end end i = i + 1 end "
    "  return count end "
    "function sort(n) i = 1 "
    "  while i < n do v = t[i] j = i while j > 0 and t[j - 1] > v do t[j] = t[j - 1] j = j - 1 end t[j] = v i = i + 1 end "
    "  return t[n / 2] end "
    "function main(n) clear sum = fib(12) + sieve(400) k = 0 "
    "  while k < 80 do t[k] = (k * 7919 + n) % 101 k = k + 1 end return sum + sort(80) end ";

typedef enum { NIL, TRUE, NUMBER } Tag;
typedef struct {
    Tag tag;
    int64_t number;
} Value;

enum { CONST, PUSHNIL, PUSHTRUE, GETLOCAL, GETGLOBAL, SETGLOBAL, INDEX, STORE, BINARY, JUMP, JUMPNOT, AND, CALL, RETURN, CLEAR };
typedef struct {
    int op, argument;
} Insn;
static Insn code[1024];
static struct {
    char text[12];
    int start; /* of a function's code */
    Value value;
} names[32];
static int here, named, parameter;
static const char *in;
static char token[12];
static Value table[512];

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static int letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

static void advance(void)
{
    int n = 0;
    while (*in == ' ') in++;
    if (letter(*in)) {
        while (letter(*in)) token[n++] = *in++;
    } else if (*in) {
        token[n++] = *in++;
        if (*in == '=') token[n++] = *in++;
    }
    token[n] = 0;
}

static int accept(const char *text)
{
    if (!same(token, text)) return 0;
    advance();
    return 1;
}

static int name(void)
{
    int i = 0;
    while (i < named && !same(names[i].text, token)) i++;
    if (i == named) {
        for (int n = 0; n < 12; n++) names[i].text[n] = token[n];
        named++;
    }
    advance();
    return i;
}

static int emit(int op, int argument)
{
    code[here] = (Insn){op, argument};
    return here++;
}

static void expression(int least);

static void primary(void)
{
    if (accept("(")) {
        expression(0);
        accept(")");
    } else if (*token >= '0' && *token <= '9') {
        int value = 0;
        for (int n = 0; token[n]; n++) value = value * 10 + token[n] - '0';
        emit(CONST, value);
        advance();
    } else if (accept("nil")) {
        emit(PUSHNIL, 0);
    } else if (accept("true")) {
        emit(PUSHTRUE, 0);
    } else if (accept("t")) {
        accept("[");
        expression(0);
        accept("]");
        emit(INDEX, 0);
    } else {
        int i = name();
        if (accept("(")) {
            expression(0);
            accept(")");
            emit(CALL, i);
        } else {
            emit(i == parameter ? GETLOCAL : GETGLOBAL, i);
        }
    }
}

static int strength(const char *op)
{
    switch (*op) {
    case 'a': return op[1] == 'n';
    case '<':
    case '>': return 2;
    case '=': return op[1] ? 2 : 0;
    case '+':
    case '-': return 3;
    case '*':
    case '/':
    case '%': return 4;
    }
    return 0;
}

static void expression(int least)
{
    primary();
    for (int s; (s = strength(token)) > least;) {
        int op = *token;
        advance();
        int jump = op == 'a' ? emit(AND, 0) : -1;
        expression(s);
        if (jump < 0) emit(BINARY, op);
        else code[jump].argument = here;
    }
}

static void statements(void)
{
    while (*token && !same(token, "end")) {
        if (accept("if")) {
            expression(0);
            accept("then");
            int jump = emit(JUMPNOT, 0);
            statements();
            accept("end");
            code[jump].argument = here;
        } else if (accept("while")) {
            int top = here;
            expression(0);
            accept("do");
            int jump = emit(JUMPNOT, 0);
            statements();
            accept("end");
            emit(JUMP, top);
            code[jump].argument = here;
        } else if (accept("return")) {
            expression(0);
            emit(RETURN, 0);
        } else if (accept("clear")) {
            emit(CLEAR, 0);
        } else if (accept("t")) {
            accept("[");
            expression(0);
            accept("]");
            accept("=");
            expression(0);
            emit(STORE, 0);
        } else {
            int i = name();
            accept("=");
            expression(0);
            emit(SETGLOBAL, i);
        }
    }
}

static void compile_text(const char *text)
{
    in = text;
    advance();
    while (accept("function")) {
        int function = name();
        names[function].start = here;
        accept("(");
        parameter = name();
        accept(")");
        statements();
        accept("end");
    }
}

static int truth(Value v) { return v.tag != NIL; }

static Value boolean(int yes) { return (Value){yes ? TRUE : NIL, 0}; }

static Value binary(int op, Value a, Value b)
{
    if (op == '=') return boolean(a.tag == b.tag && a.number == b.number);
    if (a.tag != NUMBER || b.tag != NUMBER) return (Value){NIL, 0};
    switch (op) {
    case '<': return boolean(a.number < b.number);
    case '>': return boolean(a.number > b.number);
    case '+': return (Value){NUMBER, a.number + b.number};
    case '-': return (Value){NUMBER, a.number - b.number};
    case '*': return (Value){NUMBER, a.number * b.number};
    case '/': return (Value){NUMBER, b.number ? a.number / b.number : 0};
    default: return (Value){NUMBER, b.number ? a.number % b.number : 0};
    }
}

static int64_t run(int function, int64_t argument)
{
    static Value stack[512];
    static struct {
        int back;
        Value *local;
    } frames[128];
    int depth = 0, pc = names[function].start;
    Value *sp = stack, *local = stack;
    *local = (Value){NUMBER, argument};
    for (;;) {
        Insn insn = code[pc++];
        switch (insn.op) {
        case CONST: *++sp = (Value){NUMBER, insn.argument}; break;
        case PUSHNIL: *++sp = (Value){NIL, 0}; break;
        case PUSHTRUE: *++sp = (Value){TRUE, 0}; break;
        case GETLOCAL: *++sp = *local; break;
        case GETGLOBAL: *++sp = names[insn.argument].value; break;
        case SETGLOBAL: names[insn.argument].value = *sp--; break;
        case INDEX: *sp = table[sp->number & 511]; break;
        case STORE:
            sp -= 2;
            table[sp[1].number & 511] = sp[2];
            break;
        case BINARY:
            sp--;
            *sp = binary(insn.argument, sp[0], sp[1]);
            break;
        case JUMP: pc = insn.argument; break;
        case JUMPNOT:
            if (!truth(*sp--)) pc = insn.argument;
            break;
        case AND:
            if (truth(*sp)) sp--;
            else pc = insn.argument;
            break;
        case CALL:
            frames[depth].back = pc;
            frames[depth++].local = local;
            local = sp;
            pc = names[insn.argument].start;
            break;
        case RETURN:
            if (!depth) return sp->number;
            *local = *sp;
            sp = local;
            pc = frames[--depth].back;
            local = frames[depth].local;
            break;
        case CLEAR:
            for (int i = 0; i < 512; i++) table[i] = (Value){NIL, 0};
            break;
        }
    }
}

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    compile_text(source);
    int function = 0;
    while (!same(names[function].text, "main")) function++;
    for (int r = 0; r < rounds; r++) h = mix(h, run(function, r));
    return h;
}
