/**
 * Architectures of the system call tables below. Their names are those of `uname -m`, with `i386` and `arm` for the
 * 32-bit architectures.
 */
export const syscallArchitectures = ['x86_64', 'aarch64', 'i386', 'arm', 'riscv64'] as const

export type SyscallArchitecture = (typeof syscallArchitectures)[number]

/**
 * System calls of Linux 7.1: the name, then its number on each of `syscallArchitectures`; `-` if the architecture lacks
 * the call. The numbers are the kernel's (arch/x86/entry/syscalls/, arch/arm/tools/syscall.tbl,
 * include/uapi/asm-generic/unistd.h), from libseccomp 2.6 `src/syscalls.csv`.
 */
const table = `
_llseek - - 140 140 -
_newselect - - 142 142 -
_sysctl 156 - 149 149 -
accept 43 202 - 285 202
accept4 288 242 364 366 242
access 21 - 33 33 -
acct 163 89 51 51 89
add_key 248 217 286 309 217
adjtimex 159 171 124 124 171
afs_syscall 183 - 137 - -
alarm 37 - 27 - -
arch_prctl 158 - 384 - -
arm_fadvise64_64 - - - 270 -
arm_sync_file_range - - - 341 -
bdflush - - 134 134 -
bind 49 200 361 282 200
bpf 321 280 357 386 280
break - - 17 - -
breakpoint - - - 983041 -
brk 12 214 45 45 214
cacheflush - - - 983042 -
cachestat 451 451 451 451 451
capget 125 90 184 184 90
capset 126 91 185 185 91
chdir 80 49 12 12 49
chmod 90 - 15 15 -
chown 92 - 182 182 -
chown32 - - 212 212 -
chroot 161 51 61 61 51
clock_adjtime 305 266 343 372 266
clock_adjtime64 - - 405 405 -
clock_getres 229 114 266 264 114
clock_getres_time64 - - 406 406 -
clock_gettime 228 113 265 263 113
clock_gettime64 - - 403 403 -
clock_nanosleep 230 115 267 265 115
clock_nanosleep_time64 - - 407 407 -
clock_settime 227 112 264 262 112
clock_settime64 - - 404 404 -
clone 56 220 120 120 220
clone3 435 435 435 435 435
close 3 57 6 6 57
close_range 436 436 436 436 436
connect 42 203 362 283 203
copy_file_range 326 285 377 391 285
creat 85 - 8 8 -
create_module 174 - 127 - -
delete_module 176 106 129 129 106
dup 32 23 41 41 23
dup2 33 - 63 63 -
dup3 292 24 330 358 24
epoll_create 213 - 254 250 -
epoll_create1 291 20 329 357 20
epoll_ctl 233 21 255 251 21
epoll_ctl_old 214 - - - -
epoll_pwait 281 22 319 346 22
epoll_pwait2 441 441 441 441 441
epoll_wait 232 - 256 252 -
epoll_wait_old 215 - - - -
eventfd 284 - 323 351 -
eventfd2 290 19 328 356 19
execve 59 221 11 11 221
execveat 322 281 358 387 281
exit 60 93 1 1 93
exit_group 231 94 252 248 94
faccessat 269 48 307 334 48
faccessat2 439 439 439 439 439
fadvise64 221 223 250 - 223
fadvise64_64 - - 272 - -
fallocate 285 47 324 352 47
fanotify_init 300 262 338 367 262
fanotify_mark 301 263 339 368 263
fchdir 81 50 133 133 50
fchmod 91 52 94 94 52
fchmodat 268 53 306 333 53
fchmodat2 452 452 452 452 452
fchown 93 55 95 95 55
fchown32 - - 207 207 -
fchownat 260 54 298 325 54
fcntl 72 25 55 55 25
fcntl64 - - 221 221 -
fdatasync 75 83 148 148 83
fgetxattr 193 10 231 231 10
file_getattr 468 468 468 468 468
file_setattr 469 469 469 469 469
finit_module 313 273 350 379 273
flistxattr 196 13 234 234 13
flock 73 32 143 143 32
fork 57 - 2 2 -
fremovexattr 199 16 237 237 16
fsconfig 431 431 431 431 431
fsetxattr 190 7 228 228 7
fsmount 432 432 432 432 432
fsopen 430 430 430 430 430
fspick 433 433 433 433 433
fstat 5 80 108 108 80
fstat64 - - 197 197 -
fstatat64 - - 300 327 -
fstatfs 138 44 100 100 44
fstatfs64 - - 269 267 -
fsync 74 82 118 118 82
ftime - - 35 - -
ftruncate 77 46 93 93 46
ftruncate64 - - 194 194 -
futex 202 98 240 240 98
futex_requeue 456 456 456 456 456
futex_time64 - - 422 422 -
futex_wait 455 455 455 455 455
futex_waitv 449 449 449 449 449
futex_wake 454 454 454 454 454
futimesat 261 - 299 326 -
get_kernel_syms 177 - 130 - -
get_mempolicy 239 236 275 320 236
get_robust_list 274 100 312 339 100
get_thread_area 211 - 244 - -
get_tls - - - 983046 -
getcpu 309 168 318 345 168
getcwd 79 17 183 183 17
getdents 78 - 141 141 -
getdents64 217 61 220 217 61
getegid 108 177 50 50 177
getegid32 - - 202 202 -
geteuid 107 175 49 49 175
geteuid32 - - 201 201 -
getgid 104 176 47 47 176
getgid32 - - 200 200 -
getgroups 115 158 80 80 158
getgroups32 - - 205 205 -
getitimer 36 102 105 105 102
getpeername 52 205 368 287 205
getpgid 121 155 132 132 155
getpgrp 111 - 65 65 -
getpid 39 172 20 20 172
getpmsg 181 - 188 - -
getppid 110 173 64 64 173
getpriority 140 141 96 96 141
getrandom 318 278 355 384 278
getresgid 120 150 171 171 150
getresgid32 - - 211 211 -
getresuid 118 148 165 165 148
getresuid32 - - 209 209 -
getrlimit 97 163 76 - 163
getrusage 98 165 77 77 165
getsid 124 156 147 147 156
getsockname 51 204 367 286 204
getsockopt 55 209 365 295 209
gettid 186 178 224 224 178
gettimeofday 96 169 78 78 169
getuid 102 174 24 24 174
getuid32 - - 199 199 -
getxattr 191 8 229 229 8
getxattrat 464 464 464 464 464
gtty - - 32 - -
idle - - 112 - -
init_module 175 105 128 128 105
inotify_add_watch 254 27 292 317 27
inotify_init 253 - 291 316 -
inotify_init1 294 26 332 360 26
inotify_rm_watch 255 28 293 318 28
io_cancel 210 3 249 247 3
io_destroy 207 1 246 244 1
io_getevents 208 4 247 245 4
io_pgetevents 333 292 385 399 292
io_pgetevents_time64 - - 416 416 -
io_setup 206 0 245 243 0
io_submit 209 2 248 246 2
io_uring_enter 426 426 426 426 426
io_uring_register 427 427 427 427 427
io_uring_setup 425 425 425 425 425
ioctl 16 29 54 54 29
ioperm 173 - 101 - -
iopl 172 - 110 - -
ioprio_get 252 31 290 315 31
ioprio_set 251 30 289 314 30
ipc - - 117 - -
kcmp 312 272 349 378 272
kexec_file_load 320 294 - 401 294
kexec_load 246 104 283 347 104
keyctl 250 219 288 311 219
kill 62 129 37 37 129
landlock_add_rule 445 445 445 445 445
landlock_create_ruleset 444 444 444 444 444
landlock_restrict_self 446 446 446 446 446
lchown 94 - 16 16 -
lchown32 - - 198 198 -
lgetxattr 192 9 230 230 9
link 86 - 9 9 -
linkat 265 37 303 330 37
listen 50 201 363 284 201
listmount 458 458 458 458 458
listns 470 470 470 470 470
listxattr 194 11 232 232 11
listxattrat 465 465 465 465 465
llistxattr 195 12 233 233 12
lock - - 53 - -
lookup_dcookie 212 18 253 249 18
lremovexattr 198 15 236 236 15
lseek 8 62 19 19 62
lsetxattr 189 6 227 227 6
lsm_get_self_attr 459 459 459 459 459
lsm_list_modules 461 461 461 461 461
lsm_set_self_attr 460 460 460 460 460
lstat 6 - 107 107 -
lstat64 - - 196 196 -
madvise 28 233 219 220 233
map_shadow_stack 453 453 453 453 453
mbind 237 235 274 319 235
membarrier 324 283 375 389 283
memfd_create 319 279 356 385 279
memfd_secret 447 447 447 - 447
migrate_pages 256 238 294 400 238
mincore 27 232 218 219 232
mkdir 83 - 39 39 -
mkdirat 258 34 296 323 34
mknod 133 - 14 14 -
mknodat 259 33 297 324 33
mlock 149 228 150 150 228
mlock2 325 284 376 390 284
mlockall 151 230 152 152 230
mmap 9 222 90 - 222
mmap2 - - 192 192 -
modify_ldt 154 - 123 - -
mount 165 40 21 21 40
mount_setattr 442 442 442 442 442
move_mount 429 429 429 429 429
move_pages 279 239 317 344 239
mprotect 10 226 125 125 226
mpx - - 56 - -
mq_getsetattr 245 185 282 279 185
mq_notify 244 184 281 278 184
mq_open 240 180 277 274 180
mq_timedreceive 243 183 280 277 183
mq_timedreceive_time64 - - 419 419 -
mq_timedsend 242 182 279 276 182
mq_timedsend_time64 - - 418 418 -
mq_unlink 241 181 278 275 181
mremap 25 216 163 163 216
mseal 462 462 462 462 462
msgctl 71 187 402 304 187
msgget 68 186 399 303 186
msgrcv 70 188 401 302 188
msgsnd 69 189 400 301 189
msync 26 227 144 144 227
munlock 150 229 151 151 229
munlockall 152 231 153 153 231
munmap 11 215 91 91 215
name_to_handle_at 303 264 341 370 264
nanosleep 35 101 162 162 101
newfstatat 262 79 - - 79
nfsservctl 180 42 169 169 42
nice - - 34 34 -
oldfstat - - 28 - -
oldlstat - - 84 - -
oldolduname - - 59 - -
oldstat - - 18 - -
olduname - - 109 - -
open 2 - 5 5 -
open_by_handle_at 304 265 342 371 265
open_tree 428 428 428 428 428
open_tree_attr 467 467 467 467 467
openat 257 56 295 322 56
openat2 437 437 437 437 437
pause 34 - 29 29 -
pciconfig_iobase - - - 271 -
pciconfig_read - - - 272 -
pciconfig_write - - - 273 -
perf_event_open 298 241 336 364 241
personality 135 92 136 136 92
pidfd_getfd 438 438 438 438 438
pidfd_open 434 434 434 434 434
pidfd_send_signal 424 424 424 424 424
pipe 22 - 42 42 -
pipe2 293 59 331 359 59
pivot_root 155 41 217 218 41
pkey_alloc 330 289 381 395 289
pkey_free 331 290 382 396 290
pkey_mprotect 329 288 380 394 288
poll 7 - 168 168 -
ppoll 271 73 309 336 73
ppoll_time64 - - 414 414 -
prctl 157 167 172 172 167
pread64 17 67 180 180 67
preadv 295 69 333 361 69
preadv2 327 286 378 392 286
prlimit64 302 261 340 369 261
process_madvise 440 440 440 440 440
process_mrelease 448 448 448 448 448
process_vm_readv 310 270 347 376 270
process_vm_writev 311 271 348 377 271
prof - - 44 - -
profil - - 98 - -
pselect6 270 72 308 335 72
pselect6_time64 - - 413 413 -
ptrace 101 117 26 26 117
putpmsg 182 - 189 - -
pwrite64 18 68 181 181 68
pwritev 296 70 334 362 70
pwritev2 328 287 379 393 287
query_module 178 - 167 - -
quotactl 179 60 131 131 60
quotactl_fd 443 443 443 443 443
read 0 63 3 3 63
readahead 187 213 225 225 213
readdir - - 89 - -
readlink 89 - 85 85 -
readlinkat 267 78 305 332 78
readv 19 65 145 145 65
reboot 169 142 88 88 142
recv - - - 291 -
recvfrom 45 207 371 292 207
recvmmsg 299 243 337 365 243
recvmmsg_time64 - - 417 417 -
recvmsg 47 212 372 297 212
remap_file_pages 216 234 257 253 234
removexattr 197 14 235 235 14
removexattrat 466 466 466 466 466
rename 82 - 38 38 -
renameat 264 38 302 329 -
renameat2 316 276 353 382 276
request_key 249 218 287 310 218
restart_syscall 219 128 0 0 128
riscv_flush_icache - - - - 259
riscv_hwprobe - - - - 258
rmdir 84 - 40 40 -
rseq 334 293 386 398 293
rseq_slice_yield 471 471 471 471 471
rt_sigaction 13 134 174 174 134
rt_sigpending 127 136 176 176 136
rt_sigprocmask 14 135 175 175 135
rt_sigqueueinfo 129 138 178 178 138
rt_sigreturn 15 139 173 173 139
rt_sigsuspend 130 133 179 179 133
rt_sigtimedwait 128 137 177 177 137
rt_sigtimedwait_time64 - - 421 421 -
rt_tgsigqueueinfo 297 240 335 363 240
sched_get_priority_max 146 125 159 159 125
sched_get_priority_min 147 126 160 160 126
sched_getaffinity 204 123 242 242 123
sched_getattr 315 275 352 381 275
sched_getparam 143 121 155 155 121
sched_getscheduler 145 120 157 157 120
sched_rr_get_interval 148 127 161 161 127
sched_rr_get_interval_time64 - - 423 423 -
sched_setaffinity 203 122 241 241 122
sched_setattr 314 274 351 380 274
sched_setparam 142 118 154 154 118
sched_setscheduler 144 119 156 156 119
sched_yield 24 124 158 158 124
seccomp 317 277 354 383 277
security 185 - - - -
select 23 - 82 - -
semctl 66 191 394 300 191
semget 64 190 393 299 190
semop 65 193 - 298 193
semtimedop 220 192 - 312 192
semtimedop_time64 - - 420 420 -
send - - - 289 -
sendfile 40 71 187 187 71
sendfile64 - - 239 239 -
sendmmsg 307 269 345 374 269
sendmsg 46 211 370 296 211
sendto 44 206 369 290 206
set_mempolicy 238 237 276 321 237
set_mempolicy_home_node 450 450 450 450 450
set_robust_list 273 99 311 338 99
set_thread_area 205 - 243 - -
set_tid_address 218 96 258 256 96
set_tls - - - 983045 -
setdomainname 171 162 121 121 162
setfsgid 123 152 139 139 152
setfsgid32 - - 216 216 -
setfsuid 122 151 138 138 151
setfsuid32 - - 215 215 -
setgid 106 144 46 46 144
setgid32 - - 214 214 -
setgroups 116 159 81 81 159
setgroups32 - - 206 206 -
sethostname 170 161 74 74 161
setitimer 38 103 104 104 103
setns 308 268 346 375 268
setpgid 109 154 57 57 154
setpriority 141 140 97 97 140
setregid 114 143 71 71 143
setregid32 - - 204 204 -
setresgid 119 149 170 170 149
setresgid32 - - 210 210 -
setresuid 117 147 164 164 147
setresuid32 - - 208 208 -
setreuid 113 145 70 70 145
setreuid32 - - 203 203 -
setrlimit 160 164 75 75 164
setsid 112 157 66 66 157
setsockopt 54 208 366 294 208
settimeofday 164 170 79 79 170
setuid 105 146 23 23 146
setuid32 - - 213 213 -
setxattr 188 5 226 226 5
setxattrat 463 463 463 463 463
sgetmask - - 68 - -
shmat 30 196 397 305 196
shmctl 31 195 396 308 195
shmdt 67 197 398 306 197
shmget 29 194 395 307 194
shutdown 48 210 373 293 210
sigaction - - 67 67 -
sigaltstack 131 132 186 186 132
signal - - 48 - -
signalfd 282 - 321 349 -
signalfd4 289 74 327 355 74
sigpending - - 73 73 -
sigprocmask - - 126 126 -
sigreturn - - 119 119 -
sigsuspend - - 72 72 -
socket 41 198 359 281 198
socketcall - - 102 - -
socketpair 53 199 360 288 199
splice 275 76 313 340 76
ssetmask - - 69 - -
stat 4 - 106 106 -
stat64 - - 195 195 -
statfs 137 43 99 99 43
statfs64 - - 268 266 -
statmount 457 457 457 457 457
statx 332 291 383 397 291
stime - - 25 - -
stty - - 31 - -
swapoff 168 225 115 115 225
swapon 167 224 87 87 224
symlink 88 - 83 83 -
symlinkat 266 36 304 331 36
sync 162 81 36 36 81
sync_file_range 277 84 314 - 84
syncfs 306 267 344 373 267
sysfs 139 - 135 135 -
sysinfo 99 179 116 116 179
syslog 103 116 103 103 116
tee 276 77 315 342 77
tgkill 234 131 270 268 131
time 201 - 13 - -
timer_create 222 107 259 257 107
timer_delete 226 111 263 261 111
timer_getoverrun 225 109 262 260 109
timer_gettime 224 108 261 259 108
timer_gettime64 - - 408 408 -
timer_settime 223 110 260 258 110
timer_settime64 - - 409 409 -
timerfd_create 283 85 322 350 85
timerfd_gettime 287 87 326 354 87
timerfd_gettime64 - - 410 410 -
timerfd_settime 286 86 325 353 86
timerfd_settime64 - - 411 411 -
times 100 153 43 43 153
tkill 200 130 238 238 130
truncate 76 45 92 92 45
truncate64 - - 193 193 -
tuxcall 184 - - - -
ugetrlimit - - 191 191 -
ulimit - - 58 - -
umask 95 166 60 60 166
umount - - 22 - -
umount2 166 39 52 52 39
uname 63 160 122 122 160
unlink 87 - 10 10 -
unlinkat 263 35 301 328 35
unshare 272 97 310 337 97
uprobe 336 - - - -
uretprobe 335 - - - -
uselib 134 - 86 86 -
userfaultfd 323 282 374 388 282
usr26 - - - 983043 -
usr32 - - - 983044 -
ustat 136 - 62 62 -
utime 132 - 30 - -
utimensat 280 88 320 348 88
utimensat_time64 - - 412 412 -
utimes 235 - 271 269 -
vfork 58 - 190 190 -
vhangup 153 58 111 111 58
vm86 - - 166 - -
vm86old - - 113 - -
vmsplice 278 75 316 343 75
vserver 236 - 273 313 -
wait4 61 260 114 114 260
waitid 247 95 284 280 95
waitpid - - 7 - -
write 1 64 4 4 64
writev 20 66 146 146 66
`

/**
 * System calls that exist only on other architectures. A profile may contain these names; they have no effect on the
 * architectures above.
 */
const elsewhere = `
atomic_barrier atomic_cmpxchg_32 cachectl getpagesize multiplexer rtas s390_guarded_storage s390_pci_mmio_read
s390_pci_mmio_write s390_runtime_instr s390_sthyi spu_create spu_run subpage_prot swapcontext switch_endian
sync_file_range2 sys_debug_setcontext syscall sysmips timerfd
`

type Tables = {
  numbers: ReadonlyMap<string, readonly (number | undefined)[]>
  names: readonly ReadonlyMap<number, string>[]
}

/** The tables are parsed on first use, so that commands without system calls do not spend time on them. */
let tables: Tables | undefined

function readTables(): Tables {
  const numbers = new Map<string, (number | undefined)[]>()
  const names = syscallArchitectures.map(() => new Map<number, string>())
  for (const line of table.trim().split('\n')) {
    const [name = '', ...columns] = line.split(' ')
    const row = columns.map((column) => (column === '-' ? undefined : Number(column)))
    numbers.set(name, row)
    for (const [i, number] of row.entries()) if (number !== undefined) names[i]?.set(number, name)
  }
  for (const name of elsewhere.trim().split(/\s+/)) numbers.set(name, [])
  return { numbers, names }
}

function known(): Tables {
  tables ??= readTables()
  return tables
}

/** The number of a system call on an architecture; undefined if the architecture lacks the call. */
export function syscallNumber(name: string, architecture: SyscallArchitecture): number | undefined {
  return known().numbers.get(name)?.[syscallArchitectures.indexOf(architecture)]
}

/** The name of the system call with a number on an architecture; undefined for a number that Linux 7.1 does not use. */
export function syscallName(number: number, architecture: SyscallArchitecture): string | undefined {
  return known().names[syscallArchitectures.indexOf(architecture)]?.get(number)
}

/** Whether Linux 7.1 has a system call of this name on any architecture. */
export function isSyscall(name: string): boolean {
  return known().numbers.has(name)
}

/** All system call names in the tables, in alphabetical order. */
export function syscallNames(): string[] {
  return [...known().numbers.keys()].sort()
}
