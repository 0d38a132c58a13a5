// Numbers about numbers.

/** The value below which this share of the samples lies. */
export function quantile(samples, share) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Whether every number is larger than the one before: order kept and nothing twice. */
export function strictlyIncreasing(numbers) {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1]);
}

/** `count` numbers from `first` on. */
export function range(first, count) {
  return Array.from({ length: count }, (_, i) => first + i);
}
