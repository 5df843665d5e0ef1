// The page as the server writes it, once a second; not while a button in it is about to be pressed.
setInterval(async () => {
  const response = await fetch("/").catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [shown, next] = [document.querySelector("main"), page.querySelector("main")];
  if (shown.querySelector("button:hover, :focus")) return;
  if (shown.innerHTML !== next.innerHTML) shown.replaceWith(next);
}, 1000);
