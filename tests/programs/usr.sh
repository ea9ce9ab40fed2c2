# live: it lists what the packages hold
ls -laR /usr
ls -la /bin/ /etc/alternatives | head -n 3
