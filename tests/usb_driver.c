/* V4L2 cameras in user space, for tests: preloaded, it answers for files $USB_CAMERAS/dev/videoN.

   Such a file says what the camera is and can do, what it would rather do first:
       name A webcam
       capture MJPG 1280 720 30
   One without `capture` carries metadata. What the camera sees lies beside it, in videoN.MJPG or the like.
   Without the file it is unplugged; while there is a videoN.silent it sends nothing. It fills its buffers
   in a thread and at its own pace, as a driver does, and leaves out what finds none empty. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CAMERAS 16
#define BUFFERS 10
#define MOST (4 << 20)
#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

struct camera {
    int fd;   /* an eventfd that counts filled buffers: it can be polled */
    int file; /* the device's own, for the lock that makes it one program's */
    int fps, most_fps, buffers, streaming, empties, fulls;
    int empty[BUFFERS], full[BUFFERS];
    unsigned sequence;
    char *memory;
    struct v4l2_buffer filled[BUFFERS];
    struct v4l2_pix_format form;
    char path[256], name[32];
    pthread_t thread;
    pthread_mutex_t lock;
};
static struct camera cameras[CAMERAS];

static struct camera *camera_of(int fd)
{
    for (int i = 0; fd > 0 && i < CAMERAS; i++)
        if (cameras[i].fd == fd)
            return &cameras[i];
    return NULL;
}

static int beside(struct camera *c, const char *what)
{
    char path[300];
    snprintf(path, sizeof path, "%s%s", c->path, what);
    return access(path, F_OK) == 0;
}

/* The mode of the asked format whose size is nearest; the first of all where it has no such format. */
static int fit(struct camera *c, struct v4l2_pix_format *asked)
{
    char line[128], code[8];
    int width, height, fps, modes = 0, nearest = -1;
    struct v4l2_pix_format best = {0};
    FILE *file = fopen(c->path, "r");
    if (!file)
        return ENODEV;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "name %31[^\n]", c->name);
        if (sscanf(line, "capture %7s %d %d %d", code, &width, &height, &fps) != 4)
            continue;
        unsigned format = v4l2_fourcc(code[0], code[1], code[2], code[3]);
        int off = abs(width - (int)asked->width) + abs(height - (int)asked->height);
        if (modes++ && (format != asked->pixelformat || (nearest >= 0 && off >= nearest)))
            continue;
        nearest = format == asked->pixelformat ? off : -1;
        best = (struct v4l2_pix_format){.width = width, .height = height, .pixelformat = format,
            .field = V4L2_FIELD_NONE, .bytesperline = 2 * width, .sizeimage = MOST};
        c->fps = c->most_fps = fps;
    }
    fclose(file);
    *asked = best;
    return modes ? 0 : EINVAL;
}

/* ---- the device's side */

static int fill(struct camera *c, int index, struct timespec taken)
{
    char path[300];
    unsigned code = c->form.pixelformat;
    snprintf(path, sizeof path, "%s.%.4s", c->path, (char *)&code);
    int file = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    struct v4l2_buffer *b = &c->filled[index];
    *b = (struct v4l2_buffer){.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    b->bytesused = read(file, c->memory + (size_t)index * MOST, MOST);
    REAL(close)(file);
    b->length = MOST;
    b->m.offset = index * MOST;
    b->sequence = c->sequence;
    b->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    b->timestamp = (struct timeval){taken.tv_sec, taken.tv_nsec / 1000};
    return 1;
}

static void *expose(void *given)
{
    struct camera *c = given;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (int gone = 0; c->streaming && !gone;) {
        long next = due.tv_nsec + 1000000000L / c->fps;
        due.tv_sec += next / 1000000000L;
        due.tv_nsec = next % 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        pthread_mutex_lock(&c->lock);
        gone = !beside(c, "");
        int sees = !gone && !beside(c, ".silent") && c->empties > 0 && fill(c, c->empty[0], due);
        c->sequence++;
        if (sees) {
            c->full[c->fulls++] = c->empty[0];
            memmove(c->empty, c->empty + 1, --c->empties * sizeof(int));
        }
        if (sees || gone)
            eventfd_write(c->fd, 1);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

static void stream(struct camera *c, int on)
{
    if (c->streaming == on)
        return;
    c->streaming = on;
    if (on) {
        pthread_create(&c->thread, NULL, expose, c);
        return;
    }
    pthread_join(c->thread, NULL);
    eventfd_t count;
    while (eventfd_read(c->fd, &count) == 0) {
    }
    c->empties = c->fulls = 0;
}

/* ---- the driver's side */

static int take(struct camera *c, struct v4l2_buffer *b)
{
    eventfd_t one;
    if (!c->streaming)
        return EINVAL;
    if (eventfd_read(c->fd, &one))
        return EAGAIN;
    if (!c->fulls)
        return EIO;
    *b = c->filled[c->full[0]];
    memmove(c->full, c->full + 1, --c->fulls * sizeof(int));
    return 0;
}

static int request(struct camera *c, struct v4l2_requestbuffers *r)
{
    if (r->count && flock(c->file, LOCK_EX | LOCK_NB))
        return EBUSY;
    if (!r->count)
        flock(c->file, LOCK_UN);
    if (r->count > BUFFERS)
        r->count = BUFFERS;
    c->buffers = r->count;
    c->empties = c->fulls = 0;
    return 0;
}

static int rate(struct camera *c, struct v4l2_streamparm *p)
{
    struct v4l2_fract *t = &p->parm.capture.timeperframe;
    int asked = t->numerator ? t->denominator / t->numerator : 0;
    if (asked > 0)
        c->fps = asked < c->most_fps ? asked : c->most_fps;
    *t = (struct v4l2_fract){1, c->fps};
    return 0;
}

static int describe(struct camera *c, struct v4l2_capability *cap)
{
    struct v4l2_pix_format any = {0};
    unsigned whole = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING;
    int fps = c->fps, most_fps = c->most_fps, pictures = fit(c, &any) == 0;
    c->fps = fps, c->most_fps = most_fps;
    *cap = (struct v4l2_capability){.driver = "uvcvideo", .capabilities = whole | V4L2_CAP_DEVICE_CAPS};
    cap->device_caps = whole & ~(pictures ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE);
    memcpy(cap->card, c->name, sizeof c->name);
    return 0;
}

static int answer(struct camera *c, unsigned long order, void *given)
{
    struct v4l2_format *format = given;
    struct v4l2_buffer *buffer = given;
    if (!beside(c, ""))
        return ENODEV;
    switch (order) {
    case VIDIOC_QUERYCAP:
        return describe(c, given);
    case VIDIOC_G_FMT:
        format->fmt.pix = c->form;
        return 0;
    case VIDIOC_S_FMT: {
        int failed = c->buffers ? EBUSY : fit(c, &format->fmt.pix);
        if (!failed)
            c->form = format->fmt.pix;
        return failed;
    }
    case VIDIOC_S_PARM:
        return rate(c, given);
    case VIDIOC_G_PARM:
        ((struct v4l2_streamparm *)given)->parm.capture.timeperframe = (struct v4l2_fract){1, c->fps};
        return 0;
    case VIDIOC_REQBUFS:
        return request(c, given);
    case VIDIOC_QUERYBUF:
        buffer->length = MOST;
        buffer->m.offset = buffer->index * MOST;
        return 0;
    case VIDIOC_QBUF:
        c->empty[c->empties++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return take(c, buffer);
    }
    return ENOTTY;
}

/* ---- instead of the C library's */

static int open_camera(const char *path)
{
    const char *root = getenv("USB_CAMERAS");
    int number, file;
    char rest;
    if (!root || strncmp(path, root, strlen(root)))
        return -2;
    if (sscanf(path + strlen(root), "/dev/video%d%c", &number, &rest) != 1)
        return -2;
    if ((file = REAL(open)(path, O_RDWR | O_CLOEXEC)) < 0)
        return -1;
    struct camera *c = cameras;
    while (c->fd > 0)
        c++;
    memset(c, 0, sizeof *c);
    c->file = file;
    snprintf(c->path, sizeof c->path, "%s", path);
    c->form = (struct v4l2_pix_format){.width = 640, .height = 480};
    fit(c, &c->form);
    pthread_mutex_init(&c->lock, NULL);
    c->memory = REAL(mmap)(NULL, (size_t)BUFFERS * MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return c->fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
}

#define OPEN(name)                                                     \
    int name(const char *path, int flags, ...)                         \
    {                                                                  \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        int mode = va_arg(more, int);                                  \
        va_end(more);                                                  \
        int fd = open_camera(path);                                    \
        return fd == -2 ? REAL(name)(path, flags, mode) : fd;          \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    struct camera *c = camera_of(fd);
    if (c) {
        stream(c, 0);
        REAL(close)(c->file);
        munmap(c->memory, (size_t)BUFFERS * MOST);
        c->fd = 0;
    }
    return REAL(close)(fd);
}

/* A second view of the camera's memory: mremap of nothing duplicates what is shared. */
#define MMAP(name)                                                                          \
    void *name(void *at, size_t length, int prot, int flags, int fd, off_t offset)          \
    {                                                                                       \
        struct camera *c = camera_of(fd);                                                   \
        if (!c)                                                                             \
            return REAL(name)(at, length, prot, flags, fd, offset);                         \
        return mremap(c->memory + offset, 0, length, MREMAP_MAYMOVE);                       \
    }
MMAP(mmap)
MMAP(mmap64)

int ioctl(int fd, unsigned long order, ...)
{
    va_list more;
    va_start(more, order);
    void *given = va_arg(more, void *);
    va_end(more);
    struct camera *c = camera_of(fd);
    if (!c)
        return REAL(ioctl)(fd, order, given);
    if (order == VIDIOC_STREAMON || order == VIDIOC_STREAMOFF) {
        stream(c, order == VIDIOC_STREAMON);
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    int failed = answer(c, order, given);
    pthread_mutex_unlock(&c->lock);
    errno = failed;
    return failed ? -1 : 0;
}
