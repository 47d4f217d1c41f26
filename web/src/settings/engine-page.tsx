export function EnginePage() {
  return <h1>Engine</h1>;
}
