/* Ray tracing: spheres over a plane, shadows and reflections, double precision with square roots. */
#include "../kernel.h"
#include <math.h>
const char *const kernel_name = "raytrace";
const int kernel_rounds = 650;

typedef struct {
    double x, y, z;
} Vec;
typedef struct {
    Vec centre;
    double radius, shine, shade;
} Sphere;

enum { SPHERES = 12, WIDTH = 160, HEIGHT = 120, BOUNCES = 4 };
static Sphere spheres[SPHERES];

static Vec add(Vec a, Vec b) { return (Vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static Vec sub(Vec a, Vec b) { return (Vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static Vec scale(Vec a, double s) { return (Vec){a.x * s, a.y * s, a.z * s}; }
static double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static Vec unit(Vec a) { return scale(a, 1 / sqrt(dot(a, a))); }

/* The nearest sphere and how far it is, or -1. */
static int hit(Vec from, Vec way, double *distance)
{
    int found = -1;
    for (int i = 0; i < SPHERES; i++) {
        Vec to = sub(spheres[i].centre, from);
        double along = dot(to, way), square = along * along - dot(to, to) + spheres[i].radius * spheres[i].radius;
        if (along < 0 || square < 0) continue;
        double t = along - sqrt(square);
        if (t > 1e-6 && t < *distance) {
            *distance = t;
            found = i;
        }
    }
    return found;
}

static double trace(Vec from, Vec way, int bounces)
{
    const Vec sun = {0.48, 0.8, -0.36};
    double distance = 1e9, shade, shine;
    int i = hit(from, way, &distance);
    Vec at, normal;
    if (i >= 0) {
        at = add(from, scale(way, distance));
        normal = scale(sub(at, spheres[i].centre), 1 / spheres[i].radius);
        shade = spheres[i].shade;
        shine = spheres[i].shine;
    } else if (way.y < -1e-3) {
        at = add(from, scale(way, -from.y / way.y));
        normal = (Vec){0, 1, 0};
        shade = ((int)floor(at.x) + (int)floor(at.z)) & 1 ? 0.9 : 0.3;
        shine = 0.1;
    } else {
        return 0.5 + 0.5 * way.y;
    }
    double light = 0.1, towards = dot(normal, sun), far = 1e9;
    if (towards > 0 && hit(at, sun, &far) < 0) light += 0.9 * towards;
    double colour = shade * light;
    if (bounces && shine > 0)
        colour = colour * (1 - shine) + shine * trace(at, sub(way, scale(normal, 2 * dot(way, normal))), bounces - 1);
    return colour;
}

uint64_t kernel(int rounds)
{
    uint32_t seed = 53;
    double sum = 0;
    for (int i = 0; i < SPHERES; i++) {
        double f[4];
        for (int j = 0; j < 4; j++) f[j] = (next_random(&seed) >> 8) / 16777216.0;
        double radius = 0.3 + 0.5 * f[3];
        spheres[i] = (Sphere){{6 * f[0] - 3, radius, 4 + 6 * f[1]}, radius, f[2] * 0.6, 0.3 + 0.7 * f[3]};
    }
    for (int r = 0; r < rounds; r++) {
        /* Off the borders of the plane's squares, where rounding would choose the side. */
        Vec eye = {0.01 * r + 0.00371, 1.5, -2.0129};
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                Vec way = unit((Vec){(x - WIDTH / 2) / 100.0, (HEIGHT / 2 - y) / 100.0 - 0.1, 1});
                sum += trace(eye, way, BOUNCES);
            }
    }
    return (uint64_t)sum;
}
