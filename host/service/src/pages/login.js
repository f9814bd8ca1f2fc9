// Exchanges a token for a cookie. The token is in a header of one request, never in a URL or in storage.
const form = document.getElementById("login");
const token = document.getElementById("token");
const said = document.getElementById("said");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await fetch("api/v1/session", {
      method: "POST",
      headers: { Authorization: `Bearer ${token.value.trim()}` },
    });
    token.value = "";
    if (answer.ok) {
      location.replace("./");
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    said.textContent = problem.detail ?? `the service answers ${answer.status}`;
  } catch {
    said.textContent = "the service does not answer";
  }
  button.disabled = false;
  token.focus();
});
