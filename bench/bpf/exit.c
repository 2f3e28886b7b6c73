/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest program, to measure the kernel's cost of running a program. */
void _start(void)
{
	asm volatile("syscall" : : "a"(60), "D"(0));
	__builtin_unreachable();
}
