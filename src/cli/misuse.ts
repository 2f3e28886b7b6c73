/** Exit status for invalid flags and arguments. */
export const misuse = 2
