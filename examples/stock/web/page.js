// The page as the server writes it, once a second.
setInterval(async () => {
  const response = await fetch("/").catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [shown, next] = [document.querySelector("main"), page.querySelector("main")];
  if (shown.innerHTML !== next.innerHTML) shown.replaceWith(next);
}, 1000);
