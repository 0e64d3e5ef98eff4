/** The task of the tasks figures: so small that its way there and back is all that is measured. */
export default function poolTask(number: number): number {
  return (Math.imul(number, 31) + 7) | 0;
}
