/** Exit status for flags and arguments that are wrong by themselves. */
export const misuse = 2
