/*
 * The first process of a guest: runs the commands that the host sends over a virtio-serial port, several at once.
 *
 * A frame is its payload's length (4 bytes), a type (1 byte), the number of the command (4 bytes) and the payload;
 * numbers are little-endian. frames.ts is the other end and describes each type. The sender of a stream stops when a
 * window of bytes is not yet acknowledged, so that a command with a slow reader does not hold up the other commands.
 *
 * A failure here ends the process, and so panics the kernel, which the host sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { window = 256 * 1024, chunk = 32 * 1024, header = 9, largest = 1024 * 1024 };

struct stream {
    int fd;          /* -1 after the stream has ended */
    uint32_t credit; /* number of bytes that may still be sent to the host */
};

struct command {
    struct command *next;
    uint32_t id;
    pid_t pid;   /* 0 after the process was reaped */
    int input;   /* -1 when closed */
    int closing; /* the host has sent the end of the input */
    uint8_t *queue;
    uint32_t queued;
    struct stream out[2];
};

static struct command *commands;
static int port;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = value >> (8 * i);
}

static uint32_t get32(const uint8_t *at) {
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_all(const uint8_t *bytes, size_t length) {
    while (length > 0) {
        ssize_t n = write(port, bytes, length);
        if (n < 0 && errno != EINTR && errno != EAGAIN) fail("write to the host");
        if (n > 0) bytes += n, length -= n;
    }
}

static void send_frame(char type, uint32_t id, const void *payload, uint32_t length) {
    static uint8_t frame[header + chunk];
    put32(frame, length);
    frame[4] = type;
    put32(frame + 5, id);
    if (length > 0) memcpy(frame + header, payload, length);
    write_all(frame, header + length);
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static struct command *find(uint32_t id) {
    for (struct command *c = commands; c != NULL; c = c->next)
        if (c->id == id) return c;
    return NULL;
}

/* Frees commands whose process is reaped and whose output is closed. */
static void forget_finished(void) {
    for (struct command **at = &commands; *at != NULL;) {
        struct command *c = *at;
        if (c->pid != 0 || c->out[0].fd >= 0 || c->out[1].fd >= 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        close_fd(&c->input);
        free(c->queue);
        free(c);
    }
}

static const char *next_string(const char **at, const char *end) {
    const char *start = *at;
    const char *stop = memchr(start, 0, end - start);
    if (stop == NULL) fail("a spawn frame without an end");
    *at = stop + 1;
    return start;
}

/*
 * Runs in the child. Payload: number of arguments, number of variables, then the folder, the arguments and the
 * variables, each ended by a zero byte.
 */
static void become(const uint8_t *payload, uint32_t length, const int fds[3]) {
    uint32_t arguments = get32(payload), variables = get32(payload + 4);
    const char *at = (const char *)payload + 8, *end = (const char *)payload + length;
    const char *folder = next_string(&at, end);
    char **argv = calloc(arguments + 1, sizeof *argv);
    if (argv == NULL) return;
    for (uint32_t i = 0; i < arguments; i++) argv[i] = (char *)next_string(&at, end);
    for (uint32_t i = 0; i < variables; i++) putenv((char *)next_string(&at, end));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    for (int i = 0; i < 3; i++) dup2(fds[i], i);
    if (chdir(folder) == 0) execvp(argv[0], argv);
}

static void refuse(uint32_t id, int error) {
    const char *text = strerror(error);
    send_frame('F', id, text, strlen(text));
}

static void spawn_command(uint32_t id, const uint8_t *payload, uint32_t length) {
    int pipes[4][2]; /* input, output, errors, and the errno of a failed exec */
    if (length < 8) fail("a spawn frame too short");
    for (int i = 0; i < 4; i++)
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            refuse(id, errno);
            while (i-- > 0) close(pipes[i][0]), close(pipes[i][1]);
            return;
        }
    pid_t pid = fork();
    if (pid == 0) {
        become(payload, length, (int[]){pipes[0][0], pipes[1][1], pipes[2][1]});
        int error = errno;
        if (write(pipes[3][1], &error, sizeof error) < 0) _exit(126);
        _exit(127);
    }
    int error = pid < 0 ? errno : 0;
    close(pipes[0][0]), close(pipes[1][1]), close(pipes[2][1]), close(pipes[3][1]);
    if (pid > 0)
        while (read(pipes[3][0], &error, sizeof error) < 0 && errno == EINTR) continue;
    close(pipes[3][0]);
    struct command *c = error == 0 ? calloc(1, sizeof *c) : NULL;
    uint8_t *queue = c != NULL ? malloc(window) : NULL;
    if (queue == NULL) {
        free(c);
        if (pid > 0) kill(-pid, SIGKILL);
        close(pipes[0][1]), close(pipes[1][0]), close(pipes[2][0]);
        refuse(id, error == 0 ? ENOMEM : error);
        return;
    }
    fcntl(pipes[0][1], F_SETFL, O_NONBLOCK);
    *c = (struct command){commands, id, pid, pipes[0][1], 0, queue, 0, {{pipes[1][0], window}, {pipes[2][0], window}}};
    commands = c;
}

static void feed(struct command *c) {
    if (c->input < 0) return;
    uint32_t done = 0;
    while (done < c->queued) {
        ssize_t n = write(c->input, c->queue + done, c->queued - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        /* The command has closed its input: drop the bytes, as a broken pipe does. */
        if (n < 0) {
            done = c->queued;
            close_fd(&c->input);
            break;
        }
        done += n;
    }
    uint8_t consumed[4];
    put32(consumed, done);
    if (done > 0) send_frame('A', c->id, consumed, sizeof consumed);
    c->queued -= done;
    memmove(c->queue, c->queue + done, c->queued);
    if (c->queued == 0 && c->closing) close_fd(&c->input);
}

static void take_input(struct command *c, const uint8_t *payload, uint32_t length) {
    if (length == 0) c->closing = 1;
    if (length > window - c->queued) fail("more input than the window");
    memcpy(c->queue + c->queued, payload, length);
    c->queued += length;
    if (c->input >= 0) {
        feed(c);
        return;
    }
    uint8_t consumed[4];
    put32(consumed, c->queued);
    if (c->queued > 0) send_frame('A', c->id, consumed, sizeof consumed);
    c->queued = 0;
}

static void handle(char type, uint32_t id, const uint8_t *payload, uint32_t length) {
    struct command *c = find(id);
    if (type == 'P') send_frame('P', id, NULL, 0);
    if (type == 'S') spawn_command(id, payload, length);
    if (c == NULL) return; /* the command has ended */
    if (type == 'I') take_input(c, payload, length);
    if (type == 'K' && length == 1 && c->pid != 0) kill(-c->pid, payload[0]);
    if (type == 'C' && length == 5 && payload[0] < 2) c->out[payload[0]].credit += get32(payload + 1);
}

static void read_port(void) {
    static uint8_t buffer[header + largest];
    static size_t have;
    ssize_t n = read(port, buffer + have, sizeof buffer - have);
    if (n < 0 && errno != EINTR && errno != EAGAIN) fail("read from the host");
    /* The host has not opened its end of the port. */
    if (n == 0) usleep(20000);
    if (n <= 0) return;
    have += n;
    size_t at = 0;
    while (have - at >= header) {
        uint32_t length = get32(buffer + at);
        if (length > largest) fail("a frame too large");
        if (have - at < header + length) break;
        handle(buffer[at + 4], get32(buffer + at + 5), buffer + at + header, length);
        at += header + length;
    }
    have -= at;
    memmove(buffer, buffer + at, have);
}

static void read_stream(struct command *c, int which) {
    static uint8_t bytes[chunk];
    struct stream *s = &c->out[which];
    ssize_t n = read(s->fd, bytes, s->credit < chunk ? s->credit : chunk);
    if (n < 0 && errno == EINTR) return;
    if (n > 0) s->credit -= n;
    else close_fd(&s->fd);
    send_frame(which == 0 ? '1' : '2', c->id, bytes, n > 0 ? n : 0);
}

/* The first process also reaps every process whose parent has ended. */
static void reap(int signals) {
    struct signalfd_siginfo ignored;
    if (read(signals, &ignored, sizeof ignored) < 0 && errno != EINTR) fail("read of signals");
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct command *c = commands;
        while (c != NULL && c->pid != pid) c = c->next;
        if (c == NULL) continue;
        c->pid = 0;
        uint8_t how[2] = {WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
        send_frame('X', c->id, how, sizeof how);
        close_fd(&c->input);
    }
}

static void serve(int signals) {
    static struct pollfd polls[2 + 3 * 1024];
    int count = 2;
    polls[0] = (struct pollfd){port, POLLIN, 0};
    polls[1] = (struct pollfd){signals, POLLIN, 0};
    for (struct command *c = commands; c != NULL && count + 3 <= 2 + 3 * 1024; c = c->next) {
        /*
         * poll() ignores a negative descriptor; otherwise an event that nothing waits for would wake the loop
         * repeatedly.
         */
        polls[count++] = (struct pollfd){c->queued > 0 ? c->input : -1, POLLOUT, 0};
        for (int i = 0; i < 2; i++) polls[count++] = (struct pollfd){c->out[i].credit > 0 ? c->out[i].fd : -1, POLLIN, 0};
    }
    if (poll(polls, count, -1) < 0 && errno != EINTR) fail("poll");
    int at = 2;
    for (struct command *c = commands; c != NULL && at < count; c = c->next, at += 3) {
        if (polls[at].revents != 0) feed(c);
        for (int i = 0; i < 2; i++)
            if (polls[at + 1 + i].revents != 0) read_stream(c, i);
    }
    if (polls[1].revents != 0) reap(signals);
    forget_finished();
    if (polls[0].revents != 0) read_port();
}

int main(int argc, char **argv) {
    if (argc != 2) fail("exec-server: give the path of a port");
    port = open(argv[1], O_RDWR | O_CLOEXEC);
    if (port < 0) fail(argv[1]);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &children, SFD_CLOEXEC);
    if (signals < 0) fail("signalfd");
    send_frame('R', 0, NULL, 0);
    for (;;) serve(signals);
}
