/* Virtual calls: objects of several classes, each with a table of functions, as C++ compilers lay them out. */
#include "../kernel.h"
const char *const kernel_name = "virtual";
const int kernel_rounds = 11500;

typedef struct Object Object;
typedef struct {
    uint64_t (*area)(const Object *);
    void (*grow)(Object *, uint64_t);
    int (*wins)(const Object *, const Object *);
} Class;
struct Object {
    const Class *class;
    uint64_t a, b;
};

static uint64_t square_area(const Object *o) { return o->a * o->a; }
static uint64_t oblong_area(const Object *o) { return o->a * o->b; }
static uint64_t triangle_area(const Object *o) { return o->a * o->b / 2; }
static uint64_t frame_area(const Object *o) { return (o->a + o->b) * (o->a + o->b) - o->b * o->b; }
static void grow_first(Object *o, uint64_t by) { o->a = (o->a + by) & 0xffff; }
static void grow_both(Object *o, uint64_t by)
{
    o->a = (o->a + by) & 0xffff;
    o->b = (o->b ^ by) & 0xffff;
}
static int larger(const Object *o, const Object *other) { return o->class->area(o) > other->class->area(other); }
static int wider(const Object *o, const Object *other) { return o->a > other->a; }

static const Class classes[] = {
    {square_area, grow_first, larger},
    {oblong_area, grow_both, wider},
    {triangle_area, grow_both, larger},
    {frame_area, grow_first, wider},
};

uint64_t kernel(int rounds)
{
    enum { N = 4096 };
    static Object pool[N];
    static Object *objects[N];
    uint32_t seed = 37;
    for (int i = 0; i < N; i++) {
        uint32_t r = next_random(&seed);
        pool[i] = (Object){&classes[r & 3], r >> 8 & 0xff, r >> 20 & 0xff};
        objects[i] = &pool[i];
    }
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) h += objects[i]->class->area(objects[i]);
        for (int i = 0; i < N; i++) objects[i]->class->grow(objects[i], h >> 7 & 31);
        for (int i = 0; i + 1 < N; i++)
            if (objects[i]->class->wins(objects[i], objects[i + 1])) {
                Object *o = objects[i];
                objects[i] = objects[i + 1];
                objects[i + 1] = o;
            }
        h = mix(h, objects[N - 1]->a);
    }
    return h;
}
