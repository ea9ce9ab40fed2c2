/* A register machine's bytecode loop: what an interpreter inside the guest looks like. */
#include "../kernel.h"
const char *const kernel_name = "bytecode";
const int kernel_rounds = 3800;

enum { LOADI, ADD, SUB, MUL, XOR, SHR, ADDI, JLT, LD, ST, HALT };
typedef struct {
    uint8_t op, a, b, c;
    int32_t imm;
} Insn;

static uint64_t run(const Insn *code, uint64_t *reg, uint64_t *mem)
{
    for (const Insn *p = code;; p++) {
        switch (p->op) {
        case LOADI: reg[p->a] = p->imm; break;
        case ADD: reg[p->a] = reg[p->b] + reg[p->c]; break;
        case SUB: reg[p->a] = reg[p->b] - reg[p->c]; break;
        case MUL: reg[p->a] = reg[p->b] * reg[p->c]; break;
        case XOR: reg[p->a] = reg[p->b] ^ reg[p->c]; break;
        case SHR: reg[p->a] = reg[p->b] >> (p->imm & 63); break;
        case ADDI: reg[p->a] = reg[p->b] + p->imm; break;
        case JLT:
            if ((int64_t)reg[p->a] < (int64_t)reg[p->b]) p += p->imm;
            break;
        case LD: reg[p->a] = mem[reg[p->b] & 255]; break;
        case ST: mem[reg[p->b] & 255] = reg[p->a]; break;
        case HALT: return reg[0];
        }
    }
}

uint64_t kernel(int rounds)
{
    static const Insn code[] = {
        {LOADI, 1, 0, 0, 0},  {LOADI, 2, 0, 0, 20000}, {LOADI, 3, 0, 0, 7},   {MUL, 4, 1, 3, 0}, {LD, 5, 1, 0, 0},
        {XOR, 4, 4, 5, 0},    {SHR, 5, 4, 0, 5},       {ADD, 0, 0, 4, 0},     {SUB, 0, 0, 5, 0}, {ST, 0, 1, 0, 0},
        {ADDI, 1, 1, 0, 1},   {JLT, 1, 2, 0, -9},      {HALT, 0, 0, 0, 0},
    };
    uint64_t reg[8] = {0}, mem[256] = {0}, h = 0;
    for (int r = 0; r < rounds; r++) h = mix(h, run(code, reg, mem));
    return h;
}
